"""The record as rows: read in one snapshot while others write, put back into an empty database.

Rows say the same on SQLite and PostgreSQL, so a backup of one can be restored
on the other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Table, select, text
from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.engine import parse_url, reading_engine, writing_engine
from chancery.adapters.storage.faults import translate
from chancery.adapters.storage.revision import check_revision, newest
from chancery.domain.errors import BadRequest, Conflict

_LEFT_OUT: Final = frozenset({"alembic_version", "web_session", "sign_in_flow", "idempotency"})
"""Sessions end with the machine: a cookie of before must open nothing after."""
_AT_ONCE: Final = 500  # rows in memory

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TableRows:
    """A table in one snapshot; *rows* can be gone through once, in groups."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the record.  *tables* are in an order in which they can be put back."""

    schema: str
    engine: str
    log_size: int
    tables: Iterator[TableRows]


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """Read the record of one moment; Unavailable if its schema is not this release's."""
    parsed = parse_url(url)
    engine = reading_engine(parsed)
    try:
        check_revision(engine)
        with engine.begin() as connection:
            # The first read fixes what all others see, on either engine.
            size = int(connection.execute(text("SELECT size FROM audit_head")).scalar_one())
            known = MetaData()
            known.reflect(connection)
            tables = [table for table in known.sorted_tables if table.name not in _LEFT_OUT]
            yield Snapshot(
                newest(),
                connection.dialect.name,
                size,
                (_table(connection, table) for table in tables),
            )
    except SQLAlchemyError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


def _table(connection: Connection, table: Table) -> TableRows:
    columns = tuple(str(column.name) for column in table.columns)
    return TableRows(str(table.name), columns, _rows(connection, table))


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[Row]]:
    ordered = select(table).order_by(*table.primary_key.columns)
    found = connection.execution_options(stream_results=True, yield_per=_AT_ONCE).execute(ordered)
    for part in found.partitions(_AT_ONCE):
        yield [tuple(map(_plain, row)) for row in part]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


class Restoring:
    """An empty database that is being filled, in one transaction: all of it or nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known = MetaData()
        self._known.reflect(connection)

    def begin(self, table: str, columns: Sequence[str]) -> None:
        """Make ready for rows of a table.  BadRequest if the schema has no such table."""
        found = self._known.tables.get(table)
        if found is None or {column.name for column in found.columns} != set(columns):
            raise BadRequest(
                f"the table {table[:60]!r} is not of the schema that this backup names",
                field="backup",
                rule="backup.content",
            )
        self._connection.exec_driver_sql(f'DELETE FROM "{table}"')  # noqa: S608 - a known name

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        made = self._known.tables[table].insert()
        self._connection.execute(made, [dict(zip(columns, row, strict=True)) for row in rows])


@contextmanager
def restoring(url: str, schema: str) -> Iterator[Restoring]:
    """Make *schema* in an empty database, let it be filled, then upgrade it to this release's.

    BadRequest for a schema newer than this release; Conflict where there is
    one already.
    """
    from alembic import command  # noqa: PLC0415 - a tenth of a process's memory

    from chancery.adapters.storage.upgrading import configuration, create_private  # noqa: PLC0415

    check_schema(schema)
    parsed = parse_url(url)
    if parsed.drivername == "sqlite":
        create_private(parsed)
    engine = writing_engine(parsed)
    try:
        with engine.begin() as connection:
            if engine.dialect.has_table(connection, "audit_head"):
                raise Conflict(
                    "this database holds an instance already",
                    field="database",
                    rule="database.empty",
                    remedy="name an empty database; nothing in this one was changed",
                )
            command.upgrade(configuration(connection), schema)
            yield Restoring(connection)
            command.upgrade(configuration(connection), "head")
    except SQLAlchemyError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


def check_schema(schema: str) -> None:
    """BadRequest unless this release can read *schema* and bring it up to date."""
    if not (len(schema) == 4 and schema.isdigit() and schema >= "0001"):
        raise BadRequest(
            f"{schema[:20]!r} is no revision of the schema", field="backup", rule="backup.schema"
        )
    if schema > newest():
        raise BadRequest(
            f"this backup has schema {schema}, newer than the {newest()} of this release",
            field="backup",
            rule="backup.schema-newer",
            remedy="restore it with the release that made it, or a later one",
        )


@contextmanager
def looking(url: str) -> Iterator[Connection]:
    """A snapshot of a record that others may be writing to."""
    engine = reading_engine(parse_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


@contextmanager
def adjusting(url: str) -> Iterator[Connection]:
    """A transaction on a restored record that nobody serves yet."""
    engine = writing_engine(parse_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


def is_empty(url: str) -> bool:
    """Whether that database holds nothing of ours; Unavailable if it cannot be asked."""
    engine = reading_engine(parse_url(url))
    try:
        with engine.connect() as connection:
            return not engine.dialect.has_table(connection, "audit_head")
    except SQLAlchemyError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


def discard(url: str) -> None:
    """Remove every table from a database that a restore has filled and given up."""
    with adjusting(url) as connection:
        known = MetaData()
        known.reflect(connection)
        known.drop_all(connection)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("DROP FUNCTION IF EXISTS chancery_refuse() CASCADE")
