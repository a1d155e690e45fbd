"""One transaction on one connection: how repositories speak to either engine."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Executable, Row, Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from chancery.adapters.storage.faults import translate

# Drivers let some errors of their value conversion through as they are.
_REFUSALS = (SQLAlchemyError, OverflowError, UnicodeEncodeError)

_LARGEST: Final = 64  # rows of one statement; SQLite takes 32,766 values

_DRIVER_REFUSALS = (sqlite3.Error, *_REFUSALS)
Values = tuple[Any, ...]
Record = Row[*tuple[Any, ...]]
Result = CursorResult[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Grouped:
    """A statement that takes many rows at once: *head*, *row* once for each with commas, *tail*.

    SQLite lets go of the interpreter at every execution, and under load its
    writer waits each time to have it back, while every other writer waits for it.
    """

    head: str
    row: str
    tail: str = ""

    def text(self, rows: int) -> str:
        return _grouped(self, rows)


@lru_cache(maxsize=512)
def _grouped(statement: Grouped, rows: int) -> str:
    marks = ", ".join([statement.row] * rows)
    return f"{statement.head} {marks} {statement.tail}".rstrip()


@lru_cache
def insert_sql(table: Table, conflict: str = "") -> Grouped:
    """INSERT of every column of *table* in schema order, for ``Link.many``."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join("?" * len(table.columns))
    head = f'INSERT INTO "{table.name}" ({columns}) VALUES'
    return Grouped(head, f"({marks})", conflict)


def groups(count: int) -> Iterator[int]:
    """Sizes that add up to *count*: powers of two, so that few texts serve every count."""
    size = _LARGEST
    while count:
        if size <= count:
            yield size
            count -= size
        else:
            size >>= 1


class Fetched:
    """What a statement of the driver's own brought: every row, as a plain tuple."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def fetchall(self) -> Sequence[Any]:
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def first(self) -> Any:
        """The first row, None if there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row there is."""
        (row,) = self._rows
        return row


@lru_cache(maxsize=512)
def _percent(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class Link:
    """Runs statements and turns database errors into domain errors.

    After the first failed statement nothing more can be done with it: PostgreSQL
    would refuse, SQLite would carry on, and code must not depend on which.
    """

    __slots__ = ("_connection", "_driver", "failure", "moved", "postgres")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self.postgres = connection.dialect.name == "postgresql"
        # SQLAlchemy's way to SQLite costs more than most of its statements.
        self._driver: Any = None if self.postgres else connection.connection.driver_connection
        self.failure: Exception | None = None
        self.moved = False
        """Whether a certificate's status was changed: who answers from memory must hear of it."""

    def end(self) -> None:
        """From now on the session may not be used."""
        self._connection = None

    def run(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> Result:
        """Execute an expression of SQLAlchemy Core."""
        connection = self._usable()
        try:
            return connection.execute(statement, parameters)
        except _REFUSALS as error:
            raise self._failed(error) from error

    def driver(self, sql: str, values: Values = ()) -> Fetched:
        """Execute prepared text with ``?`` marks: for what runs for every certificate."""
        connection = self._usable()
        try:
            if self._driver is not None:
                cursor = self._driver.execute(sql, values)
                return Fetched(cursor.fetchall(), cursor.rowcount)
            result = connection.exec_driver_sql(_percent(sql), values)
            return Fetched(result.fetchall() if result.returns_rows else (), result.rowcount)
        except _DRIVER_REFUSALS as error:
            raise self._failed(self._wrapped(sql, error)) from error

    def many(self, statement: Grouped | str, rows: Sequence[Values]) -> int:
        """Execute prepared text for each row; return how many rows it touched in all."""
        if not rows:
            return 0
        connection = self._usable()
        text = statement if isinstance(statement, str) else statement.text(1)
        try:
            if self._driver is None:
                return connection.exec_driver_sql(_percent(text), list(rows)).rowcount
            if isinstance(statement, str):
                return int(self._driver.executemany(text, rows).rowcount)
            return _in_groups(self._driver, statement, rows)
        except _DRIVER_REFUSALS as error:
            raise self._failed(self._wrapped(text, error)) from error

    def _wrapped(self, text: str, error: Exception) -> Exception:
        """An error of SQLite's driver as SQLAlchemy would tell it."""
        if not isinstance(error, sqlite3.Error):
            return error
        dialect = self._usable().dialect
        told: Exception = DBAPIError.instance(
            text, None, error, sqlite3.Error, hide_parameters=True, dialect=dialect
        )
        return told

    def rows(self, statement: Executable) -> Sequence[Record]:
        return self.run(statement).fetchall()

    def first(self, statement: Executable) -> Record | None:
        return self.run(statement).first()

    def _usable(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("bug: a session was used after its transaction had ended")
        if self.failure is not None:
            raise RuntimeError("bug: a session was used after one of its statements had failed")
        return self._connection

    def _failed(self, error: Exception) -> Exception:
        self.failure = translate(error)
        return self.failure


def _in_groups(driver: Any, statement: Grouped, rows: Sequence[Values]) -> int:
    touched = at = 0
    for size in groups(len(rows)):
        values = tuple(chain.from_iterable(rows[at : at + size]))
        touched += driver.execute(statement.text(size), values).rowcount
        at += size
    return touched
