"""Intents and certificates: written once, never changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, or_, select

from chancery.adapters.storage import names_text, schema
from chancery.adapters.storage.link import Grouped, Link, Record, insert_sql
from chancery.adapters.storage.revocations import REASONS, STATUSES, SqlRevocations
from chancery.adapters.storage.search import count, matches, page_of_ids, records
from chancery.domain.certificate import CertificateRecord, CertificateStatus, Intent
from chancery.domain.errors import AlreadyExists, NotFound, WrongState
from chancery.ports import CertificateFilter, Page

_C: Final = schema.certificate
_R: Final = schema.revocation
_N: Final = schema.certificate_name
_CHUNK: Final = 500

# Refuses a serial that a certificate has; one that another intent has is a unique constraint.
# `authority || ''` keeps planners off the index by authority: PostgreSQL, while a young
# table has no statistics, takes it for as good as the one by serial, and reads everything.
_INTEND: Final = Grouped(
    "INSERT INTO intent (id, authority, key_id, serial, tbs, request_id, profile_sha256,"
    " content_sha256, created_at) SELECT * FROM (VALUES",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ") AS new WHERE NOT EXISTS (SELECT 1 FROM certificate"
    " WHERE certificate.serial = new.column4 AND certificate.authority || '' = new.column2)",
)
_INTEND_POSTGRES: Final = Grouped(  # bare VALUES give their parameters no type there
    _INTEND.head,
    "(?::text, ?::text, ?::text, ?::text, ?::bytea, ?::text, ?::text, ?::text, ?::bigint)",
    _INTEND.tail,
)
_CLOSE: Final = Grouped("DELETE FROM intent WHERE abandoned_at IS NULL AND id IN (", "?", ")")
_NAMES: Final = insert_sql(_N)
RECORD: Final[Select[Any]] = select(
    *(column for column in _C.columns if column.name != "intent_id"),
    _R.c.status, _R.c.revoked_at, _R.c.reason, _R.c.invalidity_date,
).select_from(
    _C.outerjoin(_R, and_(_R.c.authority == _C.c.authority, _R.c.serial == _C.c.serial))
)  # fmt: skip


def certificate_record(row: Record) -> CertificateRecord:
    (
        id_, authority, serial, subject, names, not_before, not_after, key_sha256, sha256,
        profile, profile_sha256, request_id, requester, der, issued_at, renewed_from,
        status, revoked_at, reason, invalidity_date,
    ) = row  # fmt: skip
    return CertificateRecord(
        id_, authority, serial, subject, names_text.decode(names), not_before, not_after,
        key_sha256, sha256, profile, profile_sha256, request_id, requester, der, issued_at,
        CertificateStatus.VALID if status is None else STATUSES[status], revoked_at,
        None if reason is None else REASONS[reason], invalidity_date, renewed_from,
    )  # fmt: skip


class SqlCertificates(SqlRevocations):
    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._link = link

    def intend(self, intents: Sequence[Intent]) -> None:
        rows = [
            (
                i.id, i.authority, i.key_id, i.serial, i.tbs, i.request_id, i.profile_sha256,
                i.content_sha256, i.created_at,
            )
            for i in intents
        ]  # fmt: skip
        sql = _INTEND_POSTGRES if self._link.postgres else _INTEND
        if self._link.many(sql, rows) != len(rows):
            raise AlreadyExists(
                "a certificate of this issuer has this serial already", rule="serial.unique"
            )

    def intents(self) -> list[Intent]:
        cursor = self._link.driver(
            "SELECT id, authority, key_id, serial, tbs, request_id, profile_sha256,"
            " content_sha256, created_at FROM intent WHERE abandoned_at IS NULL ORDER BY id"
        )
        return [Intent(*row) for row in cursor]

    def issue(self, records: Sequence[CertificateRecord], intent_ids: Sequence[str]) -> None:
        rows = []
        names = []
        for r, intent_id in zip(records, intent_ids, strict=True):
            rows.append((
                r.id, r.authority, r.serial, r.subject, names_text.encode(r.names), r.not_before,
                r.not_after, r.key_sha256, r.sha256, r.profile, r.profile_sha256, r.request_id,
                r.requester, r.der, r.issued_at, r.renewed_from, intent_id,
            ))  # fmt: skip
            names += [(text, r.id) for text in {name.text.lower() for name in r.names}]
        self._link.many(insert_sql(_C), rows)
        self._link.many(_NAMES, names)
        if self._link.many(_CLOSE, [(intent_id,) for intent_id in intent_ids]) != len(rows):
            raise WrongState("a certificate has no open intent", rule="intent.open")

    def abandon(self, intent_id: str, now: int) -> None:
        closed = self._link.driver(
            "UPDATE intent SET abandoned_at = ? WHERE id = ? AND abandoned_at IS NULL",
            (now, intent_id),
        )
        if not closed.rowcount:
            raise NotFound(f"there is no open intent {intent_id}", field="id")

    def get(self, certificate_id: str) -> CertificateRecord | None:
        return self._one(_C.c.id == certificate_id)

    def by_serial(self, serial: str, authority: str | None = None) -> list[CertificateRecord]:
        statement = RECORD.where(_C.c.serial == serial).order_by(_C.c.authority)
        found = [certificate_record(row) for row in self._link.rows(statement)]
        return [c for c in found if authority in {None, c.authority}]

    def by_hash(self, sha256: str) -> CertificateRecord | None:
        return self._one(_C.c.sha256 == sha256)

    def find(self, where: CertificateFilter, page: Page) -> list[CertificateRecord]:
        ids = page_of_ids(_C, conditions(where), page)
        return [certificate_record(row) for row in self._link.rows(records(RECORD, _C, ids))]

    def count(self, where: CertificateFilter, most: int) -> int:
        found = select(_C.c.id).where(*conditions(where, ordered=False))
        return count(self._link, found, most)

    def expiring(self, after: int, until: int, limit: int) -> list[CertificateRecord]:
        statement = RECORD.where(
            _C.c.not_after > after, _C.c.not_after <= until, _R.c.status.is_(None)
        )
        rows = self._link.rows(statement.order_by(_C.c.not_after, _C.c.id).limit(limit))
        return [certificate_record(row) for row in rows]

    def profiles_of(self, serials: Sequence[str]) -> Mapping[tuple[str, str], str]:
        found = select(_C.c.authority, _C.c.serial, _C.c.profile)
        rows = self._link.rows(found.where(_C.c.serial.in_(serials)))
        return {(row.authority, row.serial): row.profile for row in rows}

    def valid_subject(self, authority: str, subject: str, now: int) -> list[tuple[str, str]]:
        cursor = self._link.driver(
            "SELECT c.id, c.key_sha256 FROM certificate c LEFT JOIN revocation r"
            " ON r.authority = c.authority AND r.serial = c.serial WHERE c.subject = ?"
            " AND c.authority || '' = ? AND c.not_after >= ?"
            " AND (r.status IS NULL OR r.status = 'held')"
            " UNION ALL SELECT i.id, q.key_sha256 FROM intent i"
            " JOIN request q ON q.id = i.request_id"
            " WHERE i.authority = ? AND i.abandoned_at IS NULL AND q.subject = ?",
            (subject, authority, now, authority, subject),
        )
        return [(row[0], row[1]) for row in cursor]

    def iterate(self) -> Iterable[CertificateRecord]:
        after = ""
        while True:
            statement = RECORD.where(_C.c.id > after).order_by(_C.c.id).limit(_CHUNK)
            rows = self._link.rows(statement)
            yield from map(certificate_record, rows)
            if len(rows) < _CHUNK:
                return
            after = rows[-1].id

    def _one(self, condition: ColumnElement[bool]) -> CertificateRecord | None:
        row = self._link.first(RECORD.where(condition))
        return certificate_record(row) if row is not None else None


def conditions(where: CertificateFilter, *, ordered: bool = True) -> list[ColumnElement[bool]]:
    """What *where* asks for; *ordered*: a page is cut out of it, newest first."""
    found = [
        matches(_C.c[name], wanted)
        for name in (
            "authority", "serial", "subject", "key_sha256", "profile", "requester", "request_id",
        )
        if (wanted := getattr(where, name)) is not None
    ]  # fmt: skip
    if where.name is not None:
        spellings = names_text.spellings(where.name)
        named = or_(*(matches(_N.c.name, spelling) for spelling in spellings))
        found.append(_C.c.id.in_(select(_N.c.certificate_id).where(named)))
    if where.status is not None:
        found.append(_standing(where.status))
    if where.expires_before is not None and not ordered:
        found.append(_C.c.not_after < where.expires_before)
        if where.expires_after is not None:
            found.append(_C.c.not_after > where.expires_after)
    elif where.expires_before is not None:
        found.append(_expiring(where.expires_after, where.expires_before))
    elif where.expires_after is not None:
        # Newest first meets these first, so the planner may simply walk that way.
        found.append(_C.c.not_after > where.expires_after)
    return found


def _expiring(after: int | None, before: int) -> ColumnElement[bool]:
    """A range of the index on not_after.

    A subquery, because the oldest expire first: to walk newest first and skip
    what does not fit, as SQLite likes to, would read nearly everything.
    """
    other = _C.alias()
    within = select(other.c.id).where(other.c.not_after < before)
    if after is not None:
        within = within.where(other.c.not_after > after)
    return _C.c.id.in_(within)


def _standing(status: CertificateStatus) -> ColumnElement[bool]:
    listed = select(_R.c.certificate_id)
    if status in {CertificateStatus.HELD, CertificateStatus.REVOKED}:
        return _C.c.id.in_(listed.where(_R.c.status == status.value))
    if status is CertificateStatus.VALID:
        own = and_(_R.c.authority == _C.c.authority, _R.c.serial == _C.c.serial)
        return ~select(_R.c.serial).where(own).exists()
    return false()  # an intent is not a certificate
