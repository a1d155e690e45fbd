"""Many certificates at once: those that a filter means, and their revocation."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import and_, exists, select

from chancery.adapters.storage import certificate_search, schema
from chancery.adapters.storage.link import Grouped
from chancery.adapters.storage.revocations import SqlRevocations
from chancery.adapters.storage.search import count
from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.ports import CertificateFilter, Revocable, Revoked
from chancery.wire.crl_entries import entry

_C: Final = schema.certificate
_R: Final = schema.revocation
_CHUNK: Final = 5_000  # rows fetched at a time
_CURRENT: Final = select(
    _C.c.id, _C.c.authority, _C.c.serial, _C.c.key_sha256, _C.c.not_after,
    _R.c.status, _R.c.revoked_at,
).select_from(
    _C.outerjoin(_R, and_(_R.c.authority == _C.c.authority, _R.c.serial == _C.c.serial))
)  # fmt: skip
# Only a hold has a row that may change; the guard of the table sees to it as well.
_REVOKE: Final = Grouped(
    "INSERT INTO revocation (authority, serial, certificate_id, status, revoked_at, reason,"
    " invalidity_date, not_after, entry, changed) VALUES",
    "(?, ?, ?, 'revoked', ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (authority, serial) DO UPDATE SET status = excluded.status,"
    " revoked_at = excluded.revoked_at, reason = excluded.reason,"
    " invalidity_date = excluded.invalidity_date, entry = excluded.entry,"
    " changed = excluded.changed",
)
_BLOCK: Final = Grouped(
    "INSERT INTO blocked_key (key_sha256, why, blocked_at) VALUES",
    "(?, ?, ?)",
    "ON CONFLICT (key_sha256) DO NOTHING",
)


class SqlMassRevocations(SqlRevocations):
    """A statement for many rows where one by one would need six for each."""

    def revocable(self, where: CertificateFilter, until: str) -> Iterator[Revocable]:
        gone = and_(
            _R.c.authority == _C.c.authority,
            _R.c.serial == _C.c.serial,
            _R.c.status == "revoked",
        )
        statement = (
            certificate_search.counted(where)
            .with_only_columns(_C.c.id, _C.c.authority, _C.c.profile)
            .where(_C.c.id <= until, ~exists().where(gone))
            .execution_options(stream_results=True)
        )
        for rows in self._link.run(statement).partitions(_CHUNK):
            for id_, authority, profile in rows:
                yield Revocable(id_, authority, profile)

    def count_valid(self, after: int, before: int | None, most: int, look: int) -> tuple[int, bool]:
        ends = [_C.c.not_after > after]
        if before is not None:
            ends.append(_C.c.not_after < before)
        seen = select(_C.c.authority, _C.c.serial).where(*ends).limit(look).subquery()
        standing = and_(_R.c.authority == seen.c.authority, _R.c.serial == seen.c.serial)
        valid = select(seen.c.serial).where(~exists().where(standing))
        found = count(self._link, valid, most)
        whole = found >= most or count(self._link, select(_C.c.id).where(*ends), look) < look
        return found, whole

    def revoke_all(
        self,
        certificate_ids: Sequence[str],
        now: int,
        reason: RevocationReason,
        invalidity_date: int | None = None,
    ) -> list[Revoked]:
        found = self._link.rows(_CURRENT.where(_C.c.id.in_(certificate_ids)))
        due = [row for row in found if row.status != "revoked"]
        done = [
            # A held one has not been good since its hold began.
            Revoked(row.authority, row.serial, row.revoked_at if row.status else now)
            for row in due
        ]
        head = self._link.driver("SELECT size FROM audit_head WHERE id = 1").one()
        changed, code = head[0], reason.value
        self._link.moved = True
        self._link.many(
            _REVOKE,
            [
                (
                    row.authority, row.serial, row.id, one.revoked_at, code, invalidity_date,
                    row.not_after,
                    entry(RevokedEntry(row.serial, one.revoked_at, reason, invalidity_date)),
                    changed,
                )
                for row, one in zip(due, done, strict=True)
            ],
        )  # fmt: skip
        if reason is RevocationReason.keyCompromise:
            why = {row.key_sha256: f"compromised (serial {row.serial})" for row in due}
            self._link.many(_BLOCK, [(key, text, now) for key, text in why.items()])
        return done
