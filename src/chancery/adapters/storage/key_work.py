"""What goes on about managed keys: orders that wait for others, components, escrow."""

from typing import Final

from sqlalchemy import select, update

from chancery.adapters.storage import documents, schema_keys
from chancery.adapters.storage.link import Link, Record, insert_sql
from chancery.domain.errors import WrongState
from chancery.domain.key_orders import KeyOrder, OrderState
from chancery.ports_keys import KeyEntry

_O: Final = schema_keys.key_order
_E: Final = schema_keys.key_entry
_S: Final = schema_keys.key_escrow


class SqlKeyWork:
    """The part of ``ports_keys.KeyRecords`` that is about work."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def add_order(self, order: KeyOrder) -> None:
        values = (
            order.id,
            order.key,
            order.group,
            order.state.value,
            len(order.approvers),
            documents.encode(order),
        )
        self._link.many(insert_sql(_O), [values])

    def order(self, order_id: str) -> KeyOrder | None:
        row = self._link.first(select(_O.c.document).where(_O.c.id == order_id))
        return documents.decode(KeyOrder, row.document) if row is not None else None

    def update_order(self, order: KeyOrder, *, before: KeyOrder) -> None:
        statement = (
            update(_O)
            .where(
                _O.c.id == order.id,
                _O.c.state == before.state.value,
                _O.c.approvals == len(before.approvers),
            )
            .values(
                state=order.state.value,
                approvals=len(order.approvers),
                document=documents.encode(order),
            )
        )
        if not self._link.run(statement).rowcount:
            raise WrongState(
                "somebody else has just decided about this",
                field="id",
                rule="key-order.moved",
                remedy="look at it again",
            )

    def orders(self, state: OrderState | None, cursor: str | None, limit: int) -> list[KeyOrder]:
        found = select(_O.c.document)
        if state is not None:
            found = found.where(_O.c.state == state.value)
        if cursor is not None:
            found = found.where(_O.c.id < cursor)
        rows = self._link.rows(found.order_by(_O.c.id.desc()).limit(limit))
        return [documents.decode(KeyOrder, row.document) for row in rows]

    def put_entry(self, entry: KeyEntry) -> None:
        self._link.driver(
            "INSERT INTO key_entry (id, key_name, group_name, outward, total, document,"
            " created_by, created_at, expires_at, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET document = excluded.document,"
            " closed = excluded.closed",
            (
                entry.id,
                entry.key,
                entry.group,
                entry.outward,
                entry.total,
                entry.document,
                entry.created_by,
                entry.created_at,
                entry.expires_at,
                entry.closed,
            ),
        )

    def entry(self, entry_id: str) -> KeyEntry | None:
        row = self._link.first(select(_E).where(_E.c.id == entry_id))
        return _entry(row) if row is not None else None

    def entries(self, cursor: str | None, limit: int) -> list[KeyEntry]:
        found = select(_E)
        if cursor is not None:
            found = found.where(_E.c.id < cursor)
        return [_entry(row) for row in self._link.rows(found.order_by(_E.c.id.desc()).limit(limit))]

    def put_escrow(self, key_id: str, number: int, document: str, now: int) -> None:
        self._link.driver(
            "INSERT INTO key_escrow (key_id, number, document, created_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (key_id, number) DO UPDATE SET document = excluded.document,"
            " created_at = excluded.created_at",
            (key_id, number, document, now),
        )

    def escrow(self, key_id: str, number: int) -> str | None:
        row = self._link.first(
            select(_S.c.document).where(_S.c.key_id == key_id, _S.c.number == number)
        )
        return str(row.document) if row is not None else None


def _entry(row: Record) -> KeyEntry:
    return KeyEntry(
        row.id,
        row.key_name,
        row.group_name,
        bool(row.outward),
        row.total,
        row.document,
        row.created_by,
        row.created_at,
        row.expires_at,
        bool(row.closed),
    )
