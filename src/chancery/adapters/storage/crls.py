"""CRLs, their numbers, and wishes for the next one."""

from typing import Final

from sqlalchemy import select

from chancery.adapters.storage import schema
from chancery.adapters.storage.link import Link
from chancery.domain.authority import CrlRecord
from chancery.domain.errors import Conflict

_T: Final = schema.crl
_TAKE: Final = (
    "INSERT INTO crl_counter (authority, number) VALUES (?, 1)"
    " ON CONFLICT (authority) DO UPDATE SET number = crl_counter.number + 1 RETURNING number"
)
# A CRL made elsewhere (import, restore) lifts the counter, and nothing lowers it.
_LIFT: Final = (
    "INSERT INTO crl_counter (authority, number) VALUES (?, ?) ON CONFLICT (authority)"
    " DO UPDATE SET number = excluded.number WHERE crl_counter.number < excluded.number"
)


class SqlCrls:
    def __init__(self, link: Link) -> None:
        self._link = link

    def latest(self, authority: str) -> CrlRecord | None:
        statement = select(_T).where(_T.c.authority == authority).order_by(_T.c.number.desc())
        row = self._link.first(statement.limit(1))
        return CrlRecord(*row) if row is not None else None

    def next_number(self, authority: str) -> int:
        return int(self._link.driver(_TAKE, (authority,)).one()[0])

    def add(self, crl: CrlRecord) -> None:
        newest = self._link.driver(
            "SELECT max(number) FROM crl WHERE authority = ?", (crl.authority,)
        ).one()[0]
        if newest is not None and crl.number <= newest:
            raise Conflict(
                f"CRL {crl.number} is not above number {newest} of {crl.authority}",
                field="number",
                rule="crl.number",
            )
        self._link.driver(
            "INSERT INTO crl (authority, number, this_update, next_update, entries, der, name, seq)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                crl.authority, crl.number, crl.this_update, crl.next_update, crl.entries, crl.der,
                crl.name, crl.seq,
            ),
        )  # fmt: skip
        self._link.driver(_LIFT, (crl.authority, crl.number))

    def mark_due(self, authority: str, at: int) -> None:
        """Each wish has a row: one made while a CRL is being signed must outlive that CRL."""
        self._link.driver(
            "INSERT INTO crl_due (authority, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (authority, at),
        )

    def due(self, now: int) -> list[str]:
        cursor = self._link.driver(
            "SELECT DISTINCT authority FROM crl_due WHERE at <= ? ORDER BY authority", (now,)
        )
        return [row[0] for row in cursor]

    def wishes(self, authority: str, now: int) -> list[int]:
        cursor = self._link.driver(
            "SELECT at FROM crl_due WHERE authority = ? AND at <= ? ORDER BY at", (authority, now)
        )
        return [row[0] for row in cursor]

    def clear_due(self, authority: str, served_until: int) -> None:
        self._link.driver(
            "DELETE FROM crl_due WHERE authority = ? AND at <= ?", (authority, served_until)
        )
