"""From a code to what it opens."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import NotFound
from chancery.domain.identity import Principal
from chancery.domain.portal import KeyPickup, RevocationRequest
from chancery.domain.request import CertificateRequest, Note
from chancery.ports import Session, Store
from chancery.services.portal.admission import Admission
from chancery.services.request_access import hash_code, visible

MOST: Final = 500
"""Requests that one code opens, at the most that are shown."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One request as its requester sees it: no names of those who decide, how many said yes."""

    request: CertificateRequest
    certificate: CertificateRecord | None
    approvals: int
    notes: tuple[Note, ...]
    wishes: tuple[RevocationRequest, ...]
    pickup: KeyPickup | None


class FollowingService:
    """See the module."""

    def __init__(self, store: Store, admission: Admission) -> None:
        self._store = store
        self._admission = admission

    def requests(self, principal: Principal, code: str) -> list[CertificateRequest]:
        """What a code opens, oldest first; NotFound if nothing.

        Codes are random and looked up by their hash, so the time this takes
        tells nothing about one that exists; wrong ones are counted.
        """
        with self._admission.guess(principal, code), self._store.read() as session:
            ids = session.portal.requests_with_code(hash_code(code), MOST)
            found = [request for one in ids if (request := session.requests.get(one)) is not None]
            if not found:
                raise NotFound(
                    "no request has this code",
                    field="code",
                    rule="request.code",
                    remedy="compare it with what you kept: sixteen letters and digits in four"
                    " groups; capitals and dashes do not matter",
                )
            return found

    def show(self, principal: Principal, request_id: str, code: str | None) -> Followed:
        """One request and what has come of it; NotFound for who may not know it exists."""
        with self._admission.guess(principal, code), self._store.read() as session:
            return _followed(session, visible(session, principal, request_id, code))


def _followed(session: Session, request: CertificateRequest) -> Followed:
    certificate = session.certificates.get(request.certificate_id or "")
    approvals = session.requests.approvals(request.id)
    given = sum(one.content_sha256 == request.content_sha256 for one in approvals)
    return Followed(
        request,
        certificate,
        given,
        tuple(session.requests.notes(request.id)),
        tuple(session.portal.revocation_requests_of(request.id)),
        session.portal.pickup(request.id) if request.server_key_id is not None else None,
    )
