"""Operations and what of them is still to be done."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, select

from chancery.adapters.storage import schema_work
from chancery.adapters.storage.link import Link, Record, insert_sql
from chancery.domain.operation import Item, Operation, OperationKind, OperationState
from chancery.ports_work import OperationFilter

_T: Final = schema_work.operation
_ITEMS: Final = insert_sql(schema_work.operation_item)
_UPDATE: Final = (
    "UPDATE operation SET state = ?, total = ?, done = ?, skipped = ?, failed = ?, position = ?,"
    " failure = ?, started_at = ?, finished_at = ?, cancelled_by = ? WHERE id = ?"
)


class SqlOperations:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, operation: Operation) -> None:
        o = operation
        self._link.many(
            insert_sql(_T),
            [
                (
                    o.id, o.kind.value, o.state.value, o.started_by, json.dumps(o.principal),
                    json.dumps(o.parameters), o.total, o.done, o.skipped, o.failed, o.position,
                    o.failure, o.created_at, o.started_at, o.finished_at, o.cancelled_by,
                )
            ],
        )  # fmt: skip

    def add_items(self, operation_id: str, items: Sequence[Item]) -> None:
        self._link.many(_ITEMS, [(operation_id, i.id, i.detail, i.error) for i in items])

    def get(self, operation_id: str) -> Operation | None:
        row = self._link.first(select(_T).where(_T.c.id == operation_id))
        return _operation(row) if row is not None else None

    def find(self, where: OperationFilter, cursor: str | None, limit: int) -> list[Operation]:
        found: list[ColumnElement[bool]] = []
        if where.state is not None:
            found.append(_T.c.state == where.state.value)
        if where.started_by is not None:
            found.append(_T.c.started_by == where.started_by)
        if cursor is not None:
            found.append(_T.c.id < cursor)
        statement = select(_T).where(*found).order_by(_T.c.id.desc()).limit(limit)
        return [_operation(row) for row in self._link.rows(statement)]

    def update(self, operation: Operation) -> None:
        o = operation
        self._link.driver(
            _UPDATE,
            (
                o.state.value, o.total, o.done, o.skipped, o.failed, o.position, o.failure,
                o.started_at, o.finished_at, o.cancelled_by, o.id,
            ),
        )  # fmt: skip

    def next_items(self, operation_id: str, after: str, limit: int) -> list[Item]:
        cursor = self._link.driver(
            "SELECT item_id, detail, error FROM operation_item WHERE operation_id = ?"
            " AND item_id > ? ORDER BY item_id LIMIT ?",
            (operation_id, after, limit),
        )
        return [Item(*row) for row in cursor]

    def dealt_with(self, operation_id: str, until: str, failures: Sequence[Item]) -> None:
        self._link.many(
            "UPDATE operation_item SET error = ? WHERE operation_id = ? AND item_id = ?",
            [(item.error, operation_id, item.id) for item in failures],
        )
        self._link.driver(
            "DELETE FROM operation_item WHERE operation_id = ? AND item_id <= ? AND error IS NULL",
            (operation_id, until),
        )

    def failures(self, operation_id: str, cursor: str | None, limit: int) -> list[Item]:
        rows = self._link.driver(
            "SELECT item_id, detail, error FROM operation_item WHERE operation_id = ?"
            " AND item_id > ? AND error IS NOT NULL ORDER BY item_id LIMIT ?",
            (operation_id, cursor or "", limit),
        )
        return [Item(*row) for row in rows]


def _operation(row: Record) -> Operation:
    fields: dict[str, Any] = dict(row._mapping)
    fields["kind"] = OperationKind(fields["kind"])
    fields["state"] = OperationState(fields["state"])
    for name in ("principal", "parameters"):
        fields[name] = json.loads(fields[name])
    return Operation(**fields)
