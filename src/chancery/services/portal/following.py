"""From a code to what it opens."""

import hmac
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import NotFound
from chancery.domain.identity import Principal
from chancery.domain.portal import KeyPickup, RevocationRequest
from chancery.domain.request import CertificateRequest, Note
from chancery.ports import Entropy, Session, Store
from chancery.services.confinement import request_within
from chancery.services.portal.admission import Admission
from chancery.services.request_access import hash_code, visible

MOST: Final = 500
"""Requests that one code opens, at the most that are shown."""
_CODES: Final = 20
"""Codes that are tried at once: what one browser remembers."""


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

    def __init__(self, store: Store, entropy: Entropy, admission: Admission) -> None:
        self._store = store
        self._entropy = entropy
        self._admission = admission

    def requests(self, principal: Principal, code: str) -> list[CertificateRequest]:
        """What a code opens, oldest first; NotFound if nothing.

        Codes are random and looked up by their hash, so the time this takes
        tells nothing about one that exists; wrong ones are counted.
        """
        with self._admission.guess(principal, code), self._store.read() as session:
            ids = session.portal.requests_with_code(hash_code(code), MOST)
            known = (session.requests.get(one) for one in ids)
            found = [one for one in known if one is not None and request_within(principal, one)]
            if not found:
                raise NotFound(
                    "no request has this code",
                    field="code",
                    rule="request.code",
                    remedy="compare it with what you kept: sixteen letters and digits in four"
                    " groups; capitals and dashes do not matter",
                )
            return found

    def open(
        self, principal: Principal, request_id: str, codes: Sequence[str]
    ) -> tuple[str, Followed]:
        """The one of *codes* that opens a request, and the request; NotFound if none does."""
        with self._admission.guess(principal, codes[0] if codes else None):
            with self._store.read() as session:
                request = session.requests.get(request_id)
                opening = None
                if request_within(principal, request):
                    opening = _opening(request, codes[:_CODES])
                if request is not None and opening is not None:
                    return opening, _followed(session, request)
            raise NotFound(
                "this browser does not know the code of this request",
                field="code",
                rule="request.visible",
                remedy="enter the code that was shown when the request was sent",
            )

    def passphrase(self) -> str:
        """100 random bits in groups that can be typed: to protect one file with a key."""
        text = b32encode(self._entropy(13)).decode().rstrip("=")[:20]
        return "-".join(text[at : at + 5] for at in range(0, 20, 5))

    def show(self, principal: Principal, request_id: str, code: str | None) -> Followed:
        """One request and what has come of it; NotFound for who may not know it exists."""
        with self._admission.guess(principal, code), self._store.read() as session:
            return _followed(session, visible(session, principal, request_id, code))


def _opening(request: CertificateRequest | None, codes: Sequence[str]) -> str | None:
    """The first of *codes* that is this request's."""
    wanted = request.code_sha256 if request is not None else None
    found = (code for code in codes if hmac.compare_digest(wanted or "", hash_code(code)))
    return next(found, None)


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
