"""What issuance puts on record: rows, states, and the audit leaves that go with them."""

import hashlib
from collections.abc import Sequence

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.errors import BadKey
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import Session
from chancery.services.abandonment import abandon
from chancery.services.audit import event


def refuse_blocked(session: Session, keys: Sequence[str]) -> None:
    """Raise BadKey if one of *keys* (hex SHA-256 of the SPKI) was compromised."""
    for why in session.certificates.keys_blocked(keys).values():
        raise BadKey(f"this key is blocked: {why}", field="csr", rule="key.blocked")


def close_unsigned(session: Session, intent: Intent, why: str, now_ms: int) -> None:
    """Put on record that *intent* was never signed: its request failed, its serial stays taken."""
    session.requests.set_state(
        intent.request_id, RequestState.APPROVED, RequestState.FAILED, failure=why
    )
    abandon(session, intent, why, now_ms)


def certificate_record(
    request: CertificateRequest,
    der: bytes,
    *,
    validity: tuple[int, int],
    certificate_id: str,
    issued_at: int,
) -> CertificateRecord:
    """The row for a certificate just signed for *request*."""
    return CertificateRecord(
        id=certificate_id,
        authority=request.authority,
        serial=request.serial,
        subject=request.subject,
        names=request.names,
        not_before=validity[0],
        not_after=validity[1],
        key_sha256=request.key_sha256,
        sha256=hashlib.sha256(der).hexdigest(),
        profile=request.profile,
        profile_sha256=request.profile_sha256,
        request_id=request.id,
        requester=request.requester,
        der=der,
        issued_at=issued_at,
        renewed_from=request.renews,
    )


def issued_event(principal: Principal, record: CertificateRecord) -> AuditEvent:
    return event(
        principal,
        "certificate.issued",
        f"{record.authority}/{record.serial}",
        authority=record.authority,
        serial=record.serial,
        sha256=record.sha256,
        request=record.request_id,
        profile=record.profile_sha256,
    )


def submitted_event(principal: Principal, request: CertificateRequest) -> AuditEvent:
    return event(
        principal,
        "request.submitted",
        request.id,
        ra=request.ra,
        authority=request.authority,
        profile=request.profile_sha256,
        content=request.content_sha256,
        key=request.key_sha256,
        approvals_needed=request.approvals_needed,
    )


def fail_approved(session: Session, request: CertificateRequest, why: str, now_ms: int) -> None:
    """Put on record that what people approved cannot be issued after all."""
    session.requests.set_state(request.id, RequestState.APPROVED, RequestState.FAILED, failure=why)
    failed = event(SYSTEM, "request.failed", request.id, Outcome.FAILURE, why=why)
    session.audit.append([failed], now_ms)
