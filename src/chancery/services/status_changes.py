"""How a certificate's status changes: its row, its audit leaf and the wish for a CRL, in one unit.

Who may change it has been settled by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.errors import Conflict
from chancery.domain.estate import PROFILE as IMPORTED
from chancery.domain.identity import Principal
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.audit.events import alike
from chancery.services.issuers import speaks

CRL_DELAY_S: Final = 1
"""A revocation's CRL waits this long for company, so that a thousand make one CRL."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """*action* is the audit event; *reason* None lifts a hold; *details* go into the leaf too."""

    action: str
    expected: Sequence[CertificateStatus]
    status: CertificateStatus
    reason: RevocationReason | None
    invalidity_date: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def revocation(
    reason: RevocationReason, invalidity_date: int | None = None, **details: str
) -> StatusChange:
    """Revoke for good."""
    return StatusChange(
        "certificate.revoked",
        (CertificateStatus.VALID, CertificateStatus.HELD),
        CertificateStatus.REVOKED,
        reason,
        invalidity_date,
        details,
    )


def apply(
    session: Session,
    principal: Principal,
    record: CertificateRecord,
    change: StatusChange,
    now_ms: int,
) -> CertificateRecord:
    """Put *change* on record; AlreadyRevoked or WrongState where the status is not as expected."""
    check_ours(session, record)
    now, reason = now_ms // 1000, change.reason
    revoked_at = None if reason is None else now
    if record.status is CertificateStatus.HELD and reason is not None:
        revoked_at = record.revoked_at  # it has not been good since the hold began
    session.certificates.set_status(
        record.id,
        change.expected,
        change.status,
        revoked_at=revoked_at,
        reason=reason,
        invalidity_date=change.invalidity_date,
    )
    if reason is RevocationReason.keyCompromise:
        session.certificates.block_key(
            record.key_sha256, f"compromised (serial {record.serial})", now
        )
    session.crls.mark_due(record.authority, now + CRL_DELAY_S)
    details: dict[str, Any] = {"authority": record.authority, "serial": record.serial}
    if reason is not None:
        details |= {"reason": reason.name, "revoked_at": revoked_at}
    if change.invalidity_date is not None:
        details["invalidity_date"] = change.invalidity_date
    subject_id = f"{record.authority}/{record.serial}"
    happened = event(principal, change.action, subject_id, **(details | dict(change.details)))
    session.audit.append([happened], now_ms)
    return replace(
        record,
        status=change.status,
        revoked_at=revoked_at,
        reason=reason,
        invalidity_date=change.invalidity_date,
    )


def check_ours(session: Session, record: CertificateRecord) -> None:
    """Raise Conflict for one that was imported and whose CA revokes elsewhere."""
    if record.profile == IMPORTED and not speaks(session.authorities.get(record.authority)):
        raise Conflict(
            "its CA is not here: nobody would hear of a change",
            field="authority",
            rule="certificate.foreign",
            remedy="revoke it at its CA, and import the list that says so",
        )


def revoke_all(
    session: Session,
    principal: Principal,
    certificate_ids: Sequence[str],
    change: StatusChange,
    now_ms: int,
    *,
    crl_at: int,
) -> int:
    """Revoke many; those that are revoked already stay as they are.  Return how many were.

    *crl_at*: the CRL may wait until then, for others of the same operation.
    """
    now, reason = now_ms // 1000, change.reason
    assert reason is not None
    done = session.certificates.revoke_all(certificate_ids, now, reason, change.invalidity_date)
    more: dict[str, Any] = {"reason": reason.name, **change.details}
    if change.invalidity_date is not None:
        more["invalidity_date"] = change.invalidity_date
    first = event(principal, change.action, "", authority="", serial="", revoked_at=0, **more)
    session.audit.append(
        [
            alike(
                first,
                f"{one.authority}/{one.serial}",
                authority=one.authority,
                serial=one.serial,
                revoked_at=one.revoked_at,
            )
            for one in done
        ],
        now_ms,
    )
    for authority in {one.authority for one in done}:
        session.crls.mark_due(authority, crl_at)
    return len(done)
