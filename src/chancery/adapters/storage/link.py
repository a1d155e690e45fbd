"""One transaction on one connection: how repositories speak to either engine."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Row, Table
from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.faults import translate

# Drivers let some errors of their value conversion through as they are.
_REFUSALS = (SQLAlchemyError, OverflowError, UnicodeEncodeError)

Values = tuple[Any, ...]
Record = Row[*tuple[Any, ...]]
Result = CursorResult[*tuple[Any, ...]]


@lru_cache
def insert_sql(table: Table, conflict: str = "") -> str:
    """INSERT of every column of *table* in schema order, for ``Link.many``."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join("?" * len(table.columns))
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks}) {conflict}'.rstrip()  # noqa: S608 - our own schema's names


@lru_cache(maxsize=512)
def _percent(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class Link:
    """Runs statements and turns database errors into domain errors.

    After the first failed statement nothing more can be done with it: PostgreSQL
    would refuse, SQLite would carry on, and code must not depend on which.
    """

    __slots__ = ("_connection", "failure", "postgres")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self.postgres = connection.dialect.name == "postgresql"
        self.failure: Exception | None = None

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

    def driver(self, sql: str, values: Values = ()) -> Result:
        """Execute prepared text with ``?`` marks: for what runs for every certificate."""
        connection = self._usable()
        try:
            return connection.exec_driver_sql(_percent(sql) if self.postgres else sql, values)
        except _REFUSALS as error:
            raise self._failed(error) from error

    def many(self, sql: str, rows: Sequence[Values]) -> int:
        """Execute prepared text for each row; return how many rows it touched in all."""
        if not rows:
            return 0
        connection = self._usable()
        try:
            return connection.exec_driver_sql(
                _percent(sql) if self.postgres else sql, list(rows)
            ).rowcount
        except _REFUSALS as error:
            raise self._failed(error) from error

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
