"""Intents and certificates: written once, never changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, select

from chancery.adapters.storage import certificate_search, names_text, schema
from chancery.adapters.storage.link import Grouped, Link, Record, insert_sql
from chancery.adapters.storage.mass import SqlMassRevocations
from chancery.adapters.storage.revocations import REASONS, STATUSES
from chancery.adapters.storage.search import count
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


class SqlCertificates(SqlMassRevocations):
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
        self._insert(records, intent_ids)
        if self._link.many(_CLOSE, [(one,) for one in intent_ids]) != len(records):
            raise WrongState("a certificate has no open intent", rule="intent.open")

    def adopt(self, records: Sequence[CertificateRecord]) -> None:
        self._insert(records, [""] * len(records))

    def _insert(self, records: Sequence[CertificateRecord], intent_ids: Sequence[str]) -> None:
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
        ids = certificate_search.page(self._link, where, page)
        rows = RECORD.where(_C.c.id.in_(ids)).order_by(*certificate_search.ordering(where))
        return [certificate_record(row) for row in self._link.rows(rows)]

    def count(self, where: CertificateFilter, most: int) -> int:
        return count(self._link, certificate_search.counted(where), most)

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
