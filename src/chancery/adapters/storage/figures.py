"""Daily figures, and how far the counting has come."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, literal, select

from chancery.adapters.storage import schema_work
from chancery.adapters.storage.link import Link
from chancery.domain.errors import Conflict
from chancery.ports_work import DailyFigure

_F: Final = schema_work.daily_figure
_ADD: Final = (
    "INSERT INTO daily_figure (day, authority, profile, issued, revoked) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (day, authority, profile) DO UPDATE SET"
    " issued = daily_figure.issued + excluded.issued,"
    " revoked = daily_figure.revoked + excluded.revoked"
)


class SqlFigures:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, figures: Sequence[DailyFigure]) -> None:
        rows = [(f.day, f.authority, f.profile, f.issued, f.revoked) for f in figures]
        self._link.many(_ADD, rows)

    def days(self, since: int, authority: str | None, profile: str | None) -> list[DailyFigure]:
        statement = select(
            _F.c.day,
            literal(authority or ""),
            literal(profile or ""),
            func.sum(_F.c.issued),
            func.sum(_F.c.revoked),
        ).where(_F.c.day >= since)
        if authority is not None:
            statement = statement.where(_F.c.authority == authority)
        if profile is not None:
            statement = statement.where(_F.c.profile == profile)
        return self._figures(statement.group_by(_F.c.day).order_by(_F.c.day))

    def totals(self) -> list[DailyFigure]:
        keys = (_F.c.authority, _F.c.profile)
        sums = (func.sum(_F.c.issued), func.sum(_F.c.revoked))
        return self._figures(select(literal(0), *keys, *sums).group_by(*keys).order_by(*keys))

    def position(self, cursor: str) -> int | None:
        row = self._link.driver(
            "SELECT position FROM work_cursor WHERE name = ?", (cursor,)
        ).first()
        return int(row[0]) if row is not None else None

    def advance(self, cursor: str, expected: int | None, position: int) -> None:
        if expected is None:
            sql = "INSERT INTO work_cursor (position, name) VALUES (?, ?) ON CONFLICT DO NOTHING"
            moved = self._link.driver(sql, (position, cursor)).rowcount
        else:
            sql = "UPDATE work_cursor SET position = ? WHERE name = ? AND position = ?"
            moved = self._link.driver(sql, (position, cursor, expected)).rowcount
        if not moved:
            raise Conflict(f"another process moved the cursor {cursor}", rule="cursor.moved")

    def _figures(self, statement: Any) -> list[DailyFigure]:
        # PostgreSQL sums big integers to numeric.
        return [
            DailyFigure(day, authority, profile, int(issued), int(revoked))
            for day, authority, profile, issued, revoked in self._link.rows(statement)
        ]
