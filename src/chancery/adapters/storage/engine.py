"""Engines for reading and for writing, set up so that an acknowledged commit is durable."""

import sqlite3
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from chancery.domain.errors import BadRequest

_BUSY_MS: Final = 10_000
_READERS: Final = 16
_WAL_PAGES: Final = 32_000
"""Pages (of 4 KiB) between checkpoints.  Certificates that follow each other change the same
pages, so a checkpoint of eight times as many writes little more; and nobody may write meanwhile."""
_CACHE_KIB: Final = 65_536

_SQLITE_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits at power loss
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # else REPLACE would slip past the delete guards
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}",
)


_POSTGRES: Final = {"postgresql", "postgres", "postgresql+psycopg"}


def parse_url(url: str) -> URL:
    """Accept ``sqlite:////absolute/path.db`` and ``postgresql://...``; nothing else.

    ``postgres://`` and ``postgresql+psycopg://`` mean the same as ``postgresql://``.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # From None: they may quote the URL, with its password.
        raise BadRequest("the database URL does not parse", field="database_url") from None
    if parsed.drivername == "sqlite" and parsed.database and parsed.database.startswith("/"):
        return parsed
    if parsed.drivername in _POSTGRES:
        return parsed.set(drivername="postgresql+psycopg")
    raise BadRequest(
        "the database URL names no engine we can trust",
        field="database_url",
        rule="storage.url",
        remedy="use sqlite:////absolute/path.db or postgresql://user@host/name",
    )


def reading_engine(url: URL) -> Engine:
    """Pooled connections whose transactions are read-only snapshots."""
    if url.drivername == "sqlite":
        return _sqlite(url, begin="BEGIN", pragmas=("PRAGMA query_only = ON",), size=_READERS)
    return _postgres(url, size=_READERS).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def writing_engine(url: URL) -> Engine:
    """One connection for the writer thread (SQLite: takes the write lock at BEGIN)."""
    if url.drivername == "sqlite":
        cache = f"PRAGMA cache_size = -{_CACHE_KIB}"
        return _sqlite(url, begin="BEGIN IMMEDIATE", pragmas=(cache,), size=1)
    return _postgres(url, size=1)


def lock_for_write(connection: Connection) -> None:
    """Let one writer in at a time, across nodes, as BEGIN IMMEDIATE does on SQLite.

    Every unit ends in an audit leaf and so would queue for this row anyway.
    Taking it first rules out deadlocks, and makes what a unit has read still
    true when it commits.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT size FROM audit_head WHERE id = 1 FOR UPDATE")


def _sqlite(url: URL, *, begin: str, pragmas: tuple[str, ...], size: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # errors end in logs, and rows hold hashes of secrets
        # isolation_level None: we say BEGIN ourselves, the driver never does.
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": _BUSY_MS / 1000,
            "cached_statements": 512,
        },
        pool_size=size,
        max_overflow=size * 3,
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (*_SQLITE_PRAGMAS, *pragmas):
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgres(url: URL, *, size: int) -> Engine:
    engine = create_engine(
        url,
        paramstyle="format",
        hide_parameters=True,
        pool_size=size,
        max_overflow=size * 3,
        pool_pre_ping=True,  # after a failover the first caller must not pay
        connect_args={
            "connect_timeout": 5,
            "options": f"-c lock_timeout={_BUSY_MS} -c timezone=UTC",
            "application_name": "chancery",
        },
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            # "off" acknowledges before the disk has it; stricter settings than "on" stay.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        connection.commit()

    return engine
