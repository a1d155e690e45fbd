"""Snapshots of status for relying parties that cannot ask."""

from chancery.domain.identity import Permission, Principal
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import AuditService, event
from chancery.services.issuers import ca_keys
from chancery.wire import status_snapshot
from chancery.wire.status_filter import SerialSet
from chancery.wire.status_snapshot import Part, Snapshot


def export(
    store: Store, audit: AuditService, clock: Clock, principal: Principal, *, lasting_s: int
) -> bytes:
    """A signed file that says who was revoked or held; the audit log's key vouches for it.

    One snapshot of the record for all of it; certificates that have ended are
    left out.
    """
    demand(principal, Permission.AUDIT_READ)
    now = clock.s()
    with store.read() as session:
        parts = tuple(
            _part(session, authority.name, now) for authority in session.authorities.all()
        )
    body, line = status_snapshot.encode(Snapshot(now, now + lasting_s, parts))
    exported = event(principal, "status.exported", line, revoked=sum(p.revoked for p in parts))
    store.write(lambda session: session.audit.append([exported], clock.ms()))
    return status_snapshot.join(audit.seal(line), body)


def _part(session: Session, authority: str, now: int) -> Part:
    salt = authority.encode()
    gone = {entry.serial for entry in session.certificates.revoked(authority, now)}
    serials = SerialSet.of(salt, gone)
    known, mistakes = 0, []
    for serial in session.statuses.serials(authority, now):
        known += 1
        if serial not in gone and serial in serials:
            mistakes.append(serial)
    keys = ca_keys(session.authorities.certificates(authority))
    identifiers = tuple(key.certificate.key_identifier for key in keys)
    return Part(authority, identifiers, known, len(gone), serials.encode(), tuple(mistakes))
