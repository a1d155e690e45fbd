"""Imports of existing certificates, and their rows."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select, update

from chancery.adapters.storage import documents, schema_estate
from chancery.adapters.storage.link import Link, Record, insert_sql
from chancery.domain.errors import Conflict, NotFound
from chancery.domain.estate import EstateImport, EstateRow, ImportChoices, ImportState, Outcome

_I: Final = schema_estate.estate_import
_R: Final = schema_estate.estate_row


def _import(row: Record, counts: dict[Outcome, int]) -> EstateImport:
    return EstateImport(
        id=row.id,
        state=ImportState(row.state),
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        files=tuple(documents.decode(list[str], row.files)),
        choices=documents.decode(ImportChoices, row.choices),
        total=row.total,
        position=row.position,
        counts=counts,
    )


class SqlEstates:
    """Implements ``ports_estate.Estates``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, new: EstateImport) -> None:
        values: tuple[Any, ...] = (
            new.id, new.state.value, new.created_by, new.created_at, new.finished_at,
            documents.encode(list(new.files)), documents.encode(new.choices), new.total,
            new.position,
        )  # fmt: skip
        self._link.many(insert_sql(_I), [values])

    def get(self, import_id: str) -> EstateImport | None:
        row = self._link.first(select(_I).where(_I.c.id == import_id))
        if row is None:
            return None
        counted = select(_R.c.outcome, func.count()).where(_R.c.import_id == import_id)
        counts = self._link.rows(counted.group_by(_R.c.outcome))
        return _import(row, {Outcome(outcome): number for outcome, number in counts})

    def find(self, cursor: str | None, limit: int) -> list[EstateImport]:
        statement = select(_I).order_by(_I.c.id.desc()).limit(limit)
        if cursor is not None:
            statement = statement.where(_I.c.id < cursor)
        return [_import(row, {}) for row in self._link.rows(statement)]

    def add_rows(self, import_id: str, rows: Sequence[tuple[EstateRow, bytes]]) -> None:
        values = [
            (import_id, row.number, row.outcome.value, documents.encode(row), der or None)
            for row, der in rows
        ]
        self._link.many(insert_sql(_R), values)

    def rows(
        self, import_id: str, outcome: Outcome | None, after: int, limit: int
    ) -> list[EstateRow]:
        statement = (
            select(_R.c.document)
            .where(_R.c.import_id == import_id, _R.c.number > after)
            .order_by(_R.c.number)
            .limit(limit)
        )
        if outcome is not None:
            statement = statement.where(_R.c.outcome == outcome.value)
        return [documents.decode(EstateRow, row.document) for row in self._link.rows(statement)]

    def pending(self, import_id: str, after: int, limit: int) -> list[tuple[EstateRow, bytes]]:
        statement = (
            select(_R.c.document, _R.c.der)
            .where(_R.c.import_id == import_id, _R.c.number > after)
            .order_by(_R.c.number)
            .limit(limit)
        )
        return [
            (documents.decode(EstateRow, row.document), row.der or b"")
            for row in self._link.rows(statement)
        ]

    def decide(self, import_id: str, rows: Sequence[EstateRow]) -> None:
        for row in rows:
            self._link.driver(
                "UPDATE estate_row SET outcome = ?, document = ?, der = NULL"
                " WHERE import_id = ? AND number = ?",
                (row.outcome.value, documents.encode(row), import_id, row.number),
            )

    def advance(
        self,
        import_id: str,
        expected: int,
        position: int,
        state: ImportState,
        finished_at: int | None,
    ) -> None:
        moved = self._link.run(
            update(_I)
            .where(_I.c.id == import_id, _I.c.position == expected)
            .values(position=position, state=state.value, finished_at=finished_at)
        )
        if not moved.rowcount:
            raise Conflict(
                "somebody else goes on with this import",
                field="id",
                rule="import.position",
                remedy="look at it again",
            )

    def delete(self, import_id: str) -> None:
        if not self._link.run(delete(_I).where(_I.c.id == import_id)).rowcount:
            raise NotFound(f"there is no import {import_id}", field="id", rule="import.known")

    def stale(self, before: int) -> list[str]:
        statement = select(_I.c.id).where(
            _I.c.state == ImportState.PREVIEW.value, _I.c.created_at < before
        )
        return [row.id for row in self._link.rows(statement)]
