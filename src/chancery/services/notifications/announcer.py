"""Puts on record, in the unit of work that does it, that somebody is to be told.

Who that is and in which words is found out afterwards.  Where nobody wants to
hear of an event nothing is written: a certificate that is issued by itself
costs one look at its RA.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chancery.domain.certificate import CertificateRecord
from chancery.domain.ids import new_id
from chancery.domain.notification import Event, Notification
from chancery.domain.request import CertificateRequest
from chancery.ports import Clock, Entropy, Session
from chancery.services.notifications.plan import FindRa, Plan, tells, tells_of_automatic

_MAX_NAMES: Final = 20


class Announcer:
    """See the module.  Safe for concurrent use."""

    def __init__(
        self,
        plan: Plan,
        find_ra: FindRa,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self._plan = plan
        self._find_ra = find_ra
        self._clock = clock
        self._entropy = entropy

    @property
    def silent(self) -> bool:
        """Whether there is no channel at all."""
        return self._plan.silent

    # Events of a request

    def waiting(self, session: Session, requests: Sequence[CertificateRequest]) -> None:
        """These wait for a decision."""
        if self._plan.silent:
            return
        self._add(
            session,
            [
                self._made(Event.REQUEST_WAITING, one.ra, one.id, {"request": request_facts(one)})
                for one in requests
                if self._wanted(Event.REQUEST_WAITING, one.ra)
            ],
        )

    def approved(
        self, session: Session, request: CertificateRequest, approvers: Sequence[str]
    ) -> None:
        """The last approval that was missing is there."""
        self._one(session, Event.REQUEST_APPROVED, request, {"approvers": list(approvers)})

    def denied(self, session: Session, request: CertificateRequest, by: str, reason: str) -> None:
        self._one(session, Event.REQUEST_DENIED, request, {"decided_by": by, "reason": reason})

    def issued(
        self,
        session: Session,
        pairs: Sequence[tuple[CertificateRequest, CertificateRecord]],
    ) -> None:
        """These were signed and are on record."""
        if self._plan.silent:
            return
        wanted = [pair for pair in pairs if self._wants_issued(pair[0])]
        self._add(
            session,
            [
                self._made(
                    Event.CERTIFICATE_ISSUED,
                    request.ra,
                    f"{record.authority}/{record.serial}",
                    {"request": request_facts(request), "certificate": certificate_facts(record)},
                )
                for request, record in wanted
            ],
        )

    # Everything else

    def tell(
        self,
        session: Session,
        event: Event,
        about: str,
        data: Mapping[str, Any],
        *,
        ra: str | None = None,
        mark: str | None = None,
    ) -> None:
        """Anything; with a *mark* that is on record already, nothing."""
        if not self._plan.silent and (ra is None or self._wanted(event, ra)):
            self._add(session, [self._made(event, ra, about, data, mark)])

    def _one(
        self, session: Session, event: Event, request: CertificateRequest, data: Mapping[str, Any]
    ) -> None:
        self.tell(
            session, event, request.id, {"request": request_facts(request), **data}, ra=request.ra
        )

    def _wanted(self, event: Event, ra: str) -> bool:
        return any(hook.wants(event, ra) for hook in self._plan.webhooks) or (
            self._plan.mail and tells(self._find_ra(ra), event)
        )

    def _wants_issued(self, request: CertificateRequest) -> bool:
        event = Event.CERTIFICATE_ISSUED
        if any(hook.wants(event, request.ra) for hook in self._plan.webhooks):
            return True
        if not self._plan.mail:
            return False
        ra = self._find_ra(request.ra)
        return tells_of_automatic(ra) or (request.approvals_needed > 0 and tells(ra, event))

    def _made(
        self,
        event: Event,
        ra: str | None,
        about: str,
        data: Mapping[str, Any],
        mark: str | None = None,
    ) -> Notification:
        assert self._clock is not None  # only a silent one has none
        assert self._entropy is not None
        now = self._clock.ms()
        return Notification(
            new_id(now, self._entropy(10)), event, ra, about, data, now // 1000, mark
        )

    @staticmethod
    def _add(session: Session, made: Sequence[Notification]) -> None:
        if made:
            session.notifications.add(made)


SILENT: Final = Announcer(Plan(), lambda _: None)
"""Tells nobody: for tests and for commands without channels."""


def request_facts(request: CertificateRequest) -> dict[str, Any]:
    """What a message may say of a request: nothing secret, nothing long."""
    return {
        "id": request.id,
        "ra": request.ra,
        "authority": request.authority,
        "profile": request.profile,
        "requester": request.requester,
        "subject": request.subject,
        "names": [name.text for name in request.names[:_MAX_NAMES]],
        "key_algorithm": request.key_algorithm,
        "approvals_needed": request.approvals_needed,
        "created_at": request.created_at,
        "expires_at": request.expires_at,
    }


def certificate_facts(record: CertificateRecord) -> dict[str, Any]:
    """What a message may say of a certificate."""
    return {
        "authority": record.authority,
        "serial": record.serial,
        "subject": record.subject,
        "names": [name.text for name in record.names[:_MAX_NAMES]],
        "profile": record.profile,
        "requester": record.requester,
        "not_before": record.not_before,
        "not_after": record.not_after,
        "sha256": record.sha256,
    }
