"""Doors, their credentials and transactions, and what was seen at them lately."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import case, delete, insert, select, update

from chancery.adapters.storage import documents, schema_enrolment
from chancery.adapters.storage.link import Link, Record, insert_sql
from chancery.domain.door import Door, Seen
from chancery.domain.enrolment import (
    Binding,
    Credential,
    CredentialKind,
    CredentialState,
    Transaction,
)
from chancery.domain.errors import AlreadyExists, NotFound

_D: Final = schema_enrolment.door
_C: Final = schema_enrolment.enrolment_credential
_T: Final = schema_enrolment.enrolment_transaction
_M: Final = schema_enrolment.door_message
# Text, where it runs for every enrolment: an expression takes longer to make than to execute.
_SPEND: Final = (
    "UPDATE enrolment_credential SET uses_left = uses_left - 1, spent_at = ?,"
    " state = CASE WHEN uses_left = 1 THEN 'spent' ELSE 'open' END"
    " WHERE id = ? AND state = 'open' AND (uses_left IS NULL OR uses_left > 0)"
    " AND (expires_at IS NULL OR expires_at > ?)"
)
_FIND: Final = (
    f"SELECT {', '.join(column.name for column in _T.columns)}"  # noqa: S608 - names of ours
    " FROM enrolment_transaction WHERE door = ? AND id = ?"
)


class SqlDoors:
    """Implements ``ports_enrolment.Doors``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def get(self, name: str) -> Door | None:
        row = self._link.first(select(_D.c.document).where(_D.c.name == name))
        return documents.decode(Door, row.document) if row is not None else None

    def all(self) -> list[Door]:
        rows = self._link.rows(select(_D.c.document).order_by(_D.c.name))
        return [documents.decode(Door, row.document) for row in rows]

    def put(self, door: Door) -> None:
        self._link.run(delete(_D).where(_D.c.name == door.name))
        self._link.run(insert(_D), {"name": door.name, "document": documents.encode(door)})

    def delete(self, name: str) -> None:
        if not self._link.run(delete(_D).where(_D.c.name == name)).rowcount:
            raise NotFound(f"there is no door {name}", field="door", rule="door.known")
        for table in (_C, _T, _M):
            self._link.run(delete(table).where(table.c.door == name))


class SqlEnrolments:
    """Implements ``ports_enrolment.Enrolments``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    # Credentials

    def add_credential(self, credential: Credential) -> None:
        if self.by_reference(credential.door, credential.reference) is not None:
            raise AlreadyExists(
                f"{credential.door} has a credential of that name",
                field="reference",
                rule="credential.unique",
                remedy="choose another name, or revoke that one and name the new one otherwise",
            )
        values = {column.name: getattr(credential, column.name) for column in _C.columns}
        values |= {
            "kind": credential.kind.value,
            "state": credential.state.value,
            "binding": documents.encode(credential.binding),
            "data": documents.encode(dict(credential.data)),
        }
        self._link.run(insert(_C), values)

    def credential(self, credential_id: str) -> Credential | None:
        row = self._link.first(select(_C).where(_C.c.id == credential_id))
        return _credential(row) if row is not None else None

    def by_reference(self, door: str, reference: str) -> Credential | None:
        where = (_C.c.door == door) & (_C.c.reference == reference)
        row = self._link.first(select(_C).where(where))
        return _credential(row) if row is not None else None

    def credentials(
        self, door: str | None, state: CredentialState | None, cursor: str | None, limit: int
    ) -> list[Credential]:
        statement = select(_C).order_by(_C.c.id.desc()).limit(limit)
        if door is not None:
            statement = statement.where(_C.c.door == door)
        if state is not None:
            statement = statement.where(_C.c.state == state.value)
        if cursor is not None:
            statement = statement.where(_C.c.id < cursor)
        return [_credential(row) for row in self._link.rows(statement)]

    def spend(self, credential_id: str, now: int) -> bool:
        return self._link.driver(_SPEND, (now, credential_id, now)).rowcount == 1

    def failed(self, credential_id: str) -> Credential | None:
        locked, opened = CredentialState.LOCKED.value, CredentialState.OPEN.value
        over = (_C.c.failures + 1 >= _C.c.max_failures) & (_C.c.state == opened)
        statement = (
            update(_C)
            .where(_C.c.id == credential_id)
            .values(failures=_C.c.failures + 1, state=case((over, locked), else_=_C.c.state))
        )
        self._link.run(statement)
        return self.credential(credential_id)

    def set_credential_state(
        self, credential_id: str, state: CredentialState, now: int | None = None
    ) -> None:
        values: dict[str, Any] = {"state": state.value}
        if now is not None:
            values["spent_at"] = now
        self._link.run(update(_C).where(_C.c.id == credential_id).values(values))

    def set_credential_data(self, credential_id: str, data: Mapping[str, object]) -> None:
        text = documents.encode(dict(data))
        self._link.run(update(_C).where(_C.c.id == credential_id).values(data=text))

    def delete_credential(self, credential_id: str) -> None:
        self._link.run(delete(_C).where(_C.c.id == credential_id))

    # Transactions

    def transaction(self, door: str, transaction_id: str) -> Transaction | None:
        row = self._link.driver(_FIND, (door, transaction_id)).first()
        return _transaction(row) if row is not None else None

    def add_transaction(self, transaction: Transaction) -> None:
        values = [getattr(transaction, column.name) for column in _T.columns]
        values[-1] = documents.encode(dict(transaction.data))
        self._link.many(insert_sql(_T), [tuple(values)])

    def set_transaction_data(
        self, door: str, transaction_id: str, data: Mapping[str, object]
    ) -> None:
        where = (_T.c.door == door) & (_T.c.id == transaction_id)
        self._link.run(update(_T).where(where).values(data=documents.encode(dict(data))))

    def forget_transactions(self, before: int, limit: int) -> int:
        old = select(_T.c.request_id).where(_T.c.created_at < before).limit(limit)
        return self._link.run(delete(_T).where(_T.c.request_id.in_(old))).rowcount

    # What was seen

    def add_seen(self, seen: Sequence[Seen]) -> None:
        rows = [{column.name: getattr(one, column.name) for column in _M.columns} for one in seen]
        self._link.run(insert(_M), rows)

    def seen(self, door: str, limit: int) -> list[Seen]:
        statement = select(_M).where(_M.c.door == door).order_by(_M.c.id.desc()).limit(limit)
        return [Seen(**row._asdict()) for row in self._link.rows(statement)]

    def forget_seen(self, before: int) -> None:
        self._link.run(delete(_M).where(_M.c.at < before))


def _credential(row: Record) -> Credential:
    return Credential(
        **row._asdict()
        | {
            "kind": CredentialKind(row.kind),
            "state": CredentialState(row.state),
            "binding": documents.decode(Binding, row.binding),
            "data": documents.decode(dict, row.data),
        }
    )


def _transaction(row: Sequence[Any]) -> Transaction:
    found = dict(zip(_T.columns.keys(), row, strict=True))
    return Transaction(**found | {"data": documents.decode(dict, found["data"])})
