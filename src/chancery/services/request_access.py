"""Who may see, change and decide one request: asked by every part of the registration office."""

import hashlib
import hmac
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from chancery.domain.audit import AuditEvent
from chancery.domain.errors import (
    AlreadyExists,
    NotFound,
    NotPermitted,
    TooLarge,
    Unavailable,
    WrongState,
)
from chancery.domain.identity import SYSTEM, AuthMethod, Permission, Principal
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import KeyVault, Session
from chancery.services.audit import event
from chancery.services.confinement import request_within

TEXT_LIMIT: Final = 4000
"""Characters of a note or a reason."""


_READ_ALOUD: Final = str.maketrans({"-": None, "0": "O", "1": "I", "8": "B"})
"""Base32 has none of these digits: whoever writes one has misread a letter."""


def hash_code(code: str) -> str:
    """What is kept of a request code; case, dashes and spaces do not matter."""
    plain = "".join(code.upper().split()).translate(_READ_ALOUD)
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()


def visible(
    session: Session, principal: Principal, request_id: str, code: str | None
) -> CertificateRequest:
    """The request, for its owner, a reader of all, or the holder of its code."""
    request = session.requests.get(request_id)
    if request is not None and request_within(principal, request):
        if Permission.REQUEST_READ_ALL in principal.permissions:
            return request
        if principal.method is not AuthMethod.NONE and request.requester == principal.name:
            return request
        if code is not None and hmac.compare_digest(request.code_sha256 or "", hash_code(code)):
            return request
    raise NotFound(
        f"no request {request_id!r} that you may see",
        field="id",
        rule="request.visible",
        remedy="sign in as its requester, or give its code",
    )


def pending(request: CertificateRequest) -> None:
    if request.state is not RequestState.PENDING:
        raise WrongState(
            f"the request is {request.state.value}", field="id", rule="request.pending"
        )


def locked(session: Session, request_id: str, principal: Principal = SYSTEM) -> CertificateRequest:
    """The pending request, its row locked until this unit commits, so that decisions queue."""
    request = session.requests.get(request_id)
    if request is None or not request_within(principal, request):
        raise NotFound(f"no request {request_id!r}", field="id")
    pending(request)
    session.requests.set_state(request_id, RequestState.PENDING, RequestState.PENDING)
    current = session.requests.get(request_id)
    assert current is not None
    return current


def own(principal: Principal, request: CertificateRequest) -> None:
    if principal.method is AuthMethod.NONE or request.requester != principal.name:
        raise NotPermitted(
            "only its requester may do this", field="principal", rule="request.owner"
        )


def refuse_duplicates(session: Session, requests: Iterable[CertificateRequest]) -> None:
    """Raise AlreadyExists if two of these, or one and another on record, are pending twins.

    Twins are requests for the same key and profile.
    """
    seen: set[tuple[str, str]] = set()
    for request in requests:
        if request.state is RequestState.PENDING:
            mark = (request.key_sha256, request.profile)
            if session.requests.pending_with_key(*mark) not in (None, request.id) or mark in seen:
                raise _duplicate()
            seen.add(mark)


def _duplicate() -> AlreadyExists:
    return AlreadyExists(
        "a request for this key and profile is already pending",
        field="csr",
        rule="request.duplicate",
        remedy="wait for its decision, or withdraw it first",
    )


def forget_key(vault: KeyVault, request: CertificateRequest) -> None:
    """Destroy a key that was made for *request*, now that nothing will come of it.

    Called after the commit: if the process dies in between, or the vault is
    away, a key that opens nothing stays in the vault.
    """
    if request.server_key_id is not None:
        with suppress(NotFound, Unavailable):
            vault.destroy(request.server_key_id)


def bounded(text: str, field: str) -> None:
    if len(text) > TEXT_LIMIT:
        raise TooLarge(f"at most {TEXT_LIMIT} characters", field=field, rule="text.max-length")


def request_event(
    principal: Principal, action: str, request: CertificateRequest, **details: Any
) -> AuditEvent:
    return event(principal, action, request.id, content=request.content_sha256, **details)
