"""The audit log, for those who may read it, and its checkpoint for everyone."""

import re
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Out
from chancery.api.routing import Door, Who
from chancery.domain.audit import AuditRecord
from chancery.domain.errors import NotFound
from chancery.domain.identity import Permission

door = Door("/audit", "audit")

_TILE = re.compile(r"tile/(?:[0-9]{1,2}|entries)(?:/x[0-9]{3})*/[0-9]{3}(?:\.p/[0-9]{1,3})?")
Sequence = Annotated[int, Query(ge=0, le=2**62)]


class RecordOut(Out):
    """One leaf of the log; *hash* is its leaf hash (RFC 9162 §2.1.1) in hex."""

    seq: int
    time_ms: int
    action: str
    actor: str
    method: str
    origin: str
    subject: str
    outcome: str
    details: dict[str, Any]
    leaf: str = Field(description="The very bytes that were hashed: canonical JSON.")
    hash: str


class RecordsOut(Out):
    """A page of records; *next* is ``before`` for the following one."""

    items: list[RecordOut]
    next: int | None


def _record_out(record: AuditRecord) -> RecordOut:
    event = record.event
    return RecordOut(
        seq=record.seq,
        time_ms=record.time_ms,
        action=event.action,
        actor=event.actor,
        method=event.method,
        origin=event.origin,
        subject=event.subject_id,
        outcome=event.outcome.value,
        details=dict(event.details),
        leaf=record.leaf.decode(),
        hash=record.hash.hex(),
    )


@door.route("GET", "", Permission.AUDIT_READ)
def search_audit(
    who: Who,
    using: Using,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since_ms: Sequence | None = None,
    until_ms: Sequence | None = None,
    before: Annotated[Sequence | None, Query(description="Records below this seq.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RecordsOut:
    """Search the log, newest first."""
    found = using.audit.search(
        who,
        actor=actor,
        action=action,
        subject_id=subject,
        since_ms=since_ms,
        until_ms=until_ms,
        before_seq=before,
        limit=limit,
    )
    following = found[-1].seq if len(found) == limit and found[-1].seq > 0 else None
    return RecordsOut(items=[_record_out(record) for record in found], next=following)


@door.route("GET", "/checkpoint", Permission.PUBLIC, response_class=Response)
def show_checkpoint(using: Using) -> Response:
    """Fetch the signed checkpoint (a C2SP signed note)."""
    return Response(using.audit.published_checkpoint(), media_type="text/plain; charset=utf-8")


@door.route("GET", "/tiles/{name:path}", Permission.AUDIT_READ, response_class=Response)
def show_tile(using: Using, name: str) -> Response:
    """Fetch a file of the log (C2SP tlog-tiles): ``tile/0/000``, ``tile/entries/000``."""
    found = using.audit_files.published(name) if _TILE.fullmatch(name) else None
    if found is None:
        raise NotFound(
            f"the log has no file {name[:100]!r}",
            field="name",
            rule="tile.known",
            remedy="ask for tiles that the size in the checkpoint implies (c2sp.org/tlog-tiles)",
        )
    return Response(found, media_type="application/octet-stream")


@door.route("GET", "/inclusion/{seq}", Permission.AUDIT_READ)
def prove_inclusion(
    who: Who, using: Using, seq: Annotated[int, Path(ge=0, le=2**62)]
) -> dict[str, Any]:
    """Prove that the checkpoint covers a record."""
    return using.audit.inclusion(who, seq)
