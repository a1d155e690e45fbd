"""CA certificates that wait for approvals, and who gave theirs: read from the audit log."""

from dataclasses import dataclass

from chancery.domain.authority import LEVELS, AuthorityCertificateKind
from chancery.domain.certificate import Intent
from chancery.ports import Session
from chancery.services.authority.records import REQUEST_PREFIX, parts, subject_of
from chancery.services.issuers import find

APPROVED = "authority.certificate-approved"
"""The audit action that is an approval; its subject is the intent, its details the hash."""


@dataclass(frozen=True, slots=True)
class PendingCertificate:
    """A CA certificate that waits for approvals.  *tbs_sha256* is what an approval names."""

    id: str
    issuer: str
    authority: str
    kind: AuthorityCertificateKind
    serial: str
    subject: str
    tbs_sha256: str
    approvers: tuple[str, ...]
    approvals_needed: int
    created_at: int


def pending(session: Session) -> list[PendingCertificate]:
    """Everything proposed and not signed."""
    return [
        _pending(session, intent)
        for intent in session.certificates.intents()
        if intent.request_id.startswith(REQUEST_PREFIX)
    ]


def _pending(session: Session, intent: Intent) -> PendingCertificate:
    kind, name, _ = parts(intent)
    issuer = find(session, intent.authority)
    return PendingCertificate(
        id=intent.id,
        issuer=intent.authority,
        authority=name,
        kind=kind,
        serial=intent.serial,
        subject=subject_of(intent).text,
        tbs_sha256=intent.content_sha256,
        approvers=approvers_of(session, intent),
        approvals_needed=LEVELS[issuer.security_level].ca_approvals,
        created_at=intent.created_at,
    )


def approvers_of(session: Session, intent: Intent) -> tuple[str, ...]:
    """Who approved this content, first to last."""
    leaves = session.audit.find(action=APPROVED, subject_id=intent.id)
    names = [
        leaf.event.actor
        for leaf in reversed(leaves)
        if leaf.event.details.get("tbs_sha256") == intent.content_sha256
    ]
    return tuple(dict.fromkeys(names))


def people_behind(session: Session, intent: Intent) -> frozenset[str]:
    """Everybody who took part in an approval of this content, both halves of a joint session."""
    events = [leaf.event for leaf in session.audit.find(action=APPROVED, subject_id=intent.id)]
    return frozenset(
        str(name)
        for event in events
        if event.details.get("tbs_sha256") == intent.content_sha256
        for name in (event.actor, event.details.get("partner"))
        if name
    )
