"""The audit log on screen: search, follow one thing through time, prove a record, take it along."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from chancery.domain.audit import AuditRecord
from chancery.domain.errors import BadRequest, CAError, WrongState
from chancery.domain.identity import Permission
from chancery.web import paging
from chancery.web.fields import Fields
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/audit",
    section="audit",
    nav=Nav("Audit log", "list-details", 90, (Permission.AUDIT_READ,), group="Administration"),
)

_SIZE: Final = 50
_MOST: Final = 20_000  # records of one export
_CHUNK: Final = 1_000


@pages.get("", Permission.AUDIT_READ)
def found(visit: Visit) -> Response:
    where = _conditions(visit.query)
    cursor = paging.asked(visit.query, _SIZE).cursor
    if cursor is not None and not cursor.isdigit():
        raise BadRequest("this address is not of a page of the log", field="cursor")
    records = visit.services.audit.search(
        visit.principal,
        **where,
        before_seq=int(cursor) if cursor else None,
        limit=_SIZE + 1,
    )
    page = paging.paged("/console/audit", visit.query, records, lambda r: str(r.seq), _SIZE)
    return visit.render(
        "console/audit/list.html",
        block="results",
        page=page,
        checkpoint=_checkpoint(visit),
        export="/console/audit/export?" + visit.url.partition("?")[2],
        followed=visit.query.text("subject"),
    )


@pages.get("/export", Permission.AUDIT_READ)
def export(visit: Visit) -> Response:
    """What the filters find, newest first, as the very leaves that were hashed: a line each."""
    where = _conditions(visit.query)
    lines: list[bytes] = []
    before: int | None = None
    while len(lines) < _MOST:
        chunk = visit.services.audit.search(
            visit.principal, **where, before_seq=before, limit=_CHUNK
        )
        lines += [record.leaf for record in chunk]
        if len(chunk) < _CHUNK:
            break
        before = chunk[-1].seq
    return visit.download(
        b"\n".join(lines) + b"\n" if lines else b"", "audit.ndjson", "application/x-ndjson"
    )


@pages.get("/{seq}", Permission.AUDIT_READ)
def one(visit: Visit) -> Response:
    seq = _number(visit.path["seq"])
    record = visit.services.audit.record(visit.principal, seq)
    proof, why = _proof(visit, seq)
    return visit.render(
        "console/audit/record.html",
        record=record,
        event=record.event,
        details=_flat(record),
        leaf=record.leaf.decode(),
        proof=proof,
        why=why,
        newer=seq + 1,
        older=seq - 1 if seq else None,
    )


def _conditions(query: Fields) -> dict[str, Any]:
    since, until = query.text("since"), query.text("until")
    return {
        "actor": query.text("actor") or None,
        "action": query.text("action") or None,
        "subject_id": query.text("subject") or None,
        "since_ms": _day_ms(since, "since") if since else None,
        "until_ms": _day_ms(until, "until", 1) - 1 if until else None,
    }


def _day_ms(text: str, field: str, later: int = 0) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return int((moment + timedelta(days=later)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"not a day: {text[:40]!r}", field=field, rule="date", remedy="write 2026-05-31"
        ) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BadRequest("a record has a number", field="seq", rule="number")
    return int(text)


def _checkpoint(visit: Visit) -> dict[str, object] | None:
    """How far the log is signed; None before the first checkpoint."""
    try:
        lines = visit.services.audit.published_checkpoint().decode().splitlines()
    except CAError:
        return None
    return {"origin": lines[0], "size": int(lines[1]), "root": lines[2]}


def _proof(visit: Visit, seq: int) -> tuple[dict[str, object] | None, str]:
    """What the browser needs to convince itself, or why there is nothing yet."""
    try:
        proof = visit.services.audit.inclusion(visit.principal, seq)
    except WrongState as error:
        return None, f"{error}. {error.remedy or ''}"
    key = visit.services.audit.verifier_key()
    return {**proof, "key": key.public.hex(), "key_name": key.name}, ""


def _flat(record: AuditRecord) -> list[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in record.event.details.items()
    ]
