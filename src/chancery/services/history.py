"""What happened to one request or certificate, from the audit log, for those who may see it.

Auditors read the whole log; everybody else only what is about a thing they
may see anyway, and without where people signed in from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chancery.domain.audit import AuditRecord, Outcome
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.ports import Session, Store
from chancery.services.access import demand_within
from chancery.services.audit import AuditService
from chancery.services.certificates import one
from chancery.services.request_access import visible

_LINES: Final = 200
"""Lines of the log about one thing, the newest."""
_REASONS: Final = ("reason", "why", "comment")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.  *seq* is its place in the log, *why* a reason that somebody gave."""

    seq: int
    at: int  # Unix seconds
    action: str
    actor: str
    partner: str
    failed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Logged:
    """The leaf that put a certificate on record, proved to be under a signed checkpoint.

    *size* and *root* are the checkpoint's; None where none covers the leaf yet.
    """

    seq: int
    leaf_hash: str
    size: int | None
    root: str | None
    steps: int  # hashes in the proof


@dataclass(frozen=True, slots=True)
class CertificateHistory:
    """*entries* are newest first, those of the request among them for who may see it."""

    entries: Sequence[Entry]
    logged: Logged | None


class HistoryService:
    """See the module."""

    def __init__(self, store: Store, audit: AuditService) -> None:
        self._store = store
        self._audit = audit

    def of_certificate(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> CertificateHistory:
        """From the request to the last change of its status, and its place in the log."""
        demand_within(principal, Permission.CERTIFICATE_READ)
        with self._store.read() as session:
            record = one(session, serial, authority, principal)
            mine = session.audit.find(
                subject_id=f"{record.authority}/{record.serial}", limit=_LINES
            )
            found = [*mine, *_about_request(session, principal, record)]
        found.sort(key=lambda line: line.seq, reverse=True)
        issued = next((r for r in mine if r.event.action == "certificate.issued"), None)
        return CertificateHistory(entries(found), self._logged(issued) if issued else None)

    def _logged(self, record: AuditRecord) -> Logged:
        try:
            proof: dict[str, Any] = self._audit.prove(record)
        except WrongState:  # a checkpoint follows within seconds
            return Logged(record.seq, record.hash.hex(), None, None, 0)
        return Logged(
            record.seq, proof["leaf_hash"], proof["size"], proof["root"], len(proof["proof"])
        )


def entries(records: Iterable[AuditRecord]) -> list[Entry]:
    """What the log says, for people."""
    return [_entry(record) for record in records]


def _entry(record: AuditRecord) -> Entry:
    event = record.event
    said = [str(event.details[name]) for name in _REASONS if event.details.get(name)]
    return Entry(
        record.seq,
        record.time_ms // 1000,
        event.action,
        event.actor,
        str(event.details.get("partner", "")),
        event.outcome is not Outcome.SUCCESS,
        ": ".join(said),
    )


def _about_request(
    session: Session, principal: Principal, record: CertificateRecord
) -> list[AuditRecord]:
    try:
        visible(session, principal, record.request_id, None)
    except NotFound:
        return []
    return session.audit.find(subject_id=record.request_id, limit=_LINES)
