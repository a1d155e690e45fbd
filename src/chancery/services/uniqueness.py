"""One subject, one holder: the uniqueness rule of a DN profile, checked where intents are recorded.

The store runs one unit of work at a time, on every node, so nobody can slip in
between this check and the intent it guards.
"""

from chancery.domain.dn_profile import Uniqueness
from chancery.domain.errors import AlreadyExists
from chancery.domain.request import CertificateRequest
from chancery.ports import Session


class SubjectsTaken:
    """The check for one batch: what is on record, and what the batch itself has taken."""

    def __init__(self, session: Session, now: int) -> None:
        self._session = session
        self._now = now
        self._batch: dict[tuple[str, str], set[str]] = {}

    def take(self, request: CertificateRequest, rule: Uniqueness) -> None:
        """Take *request*'s subject for its key; AlreadyExists if *rule* forbids it.

        The certificate that is being renewed does not count.
        """
        if rule is Uniqueness.NONE or not request.subject:
            return
        place = (request.authority, request.subject)
        holders = self._session.certificates.valid_subject(*place, self._now)
        keys = {key for certificate_id, key in holders if certificate_id != request.renews}
        keys |= self._batch.get(place, set())
        if rule is Uniqueness.SUBJECT_AND_KEY:
            keys.discard(request.key_sha256)
        if keys:
            raise AlreadyExists(
                f"a valid certificate for {request.subject} exists",
                field="subject",
                rule=f"subject.unique.{rule.value}",
                remedy="renew that one, or revoke it first",
            )
        self._batch.setdefault(place, set()).add(request.key_sha256)
