"""Schema revisions: bring a database to the newest, or refuse one that is not."""

import io
import os
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.engine import parse_url, writing_engine
from chancery.adapters.storage.faults import translate
from chancery.domain.errors import Unavailable

COMMAND: Final = "chancery database upgrade"
_LOCK: Final = 0x63687972  # any fixed number: two nodes that start at once must take turns


def migrate(url: str) -> None:
    """Create the schema, or upgrade it to the newest revision; do nothing if it is current."""
    parsed = parse_url(url)
    if parsed.drivername == "sqlite":
        _create_private(parsed)
    engine = writing_engine(parsed)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            command.upgrade(configuration(connection), "head")
    except SQLAlchemyError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


def configuration(connection: Connection) -> Config:
    """What Alembic needs, without an ini file; it runs inside *connection*'s transaction."""
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def check_revision(engine: Engine) -> None:
    """Raise Unavailable unless the database has exactly the revision this release needs."""
    try:
        with engine.connect() as connection:
            script = ScriptDirectory.from_config(configuration(connection))
            found = set(MigrationContext.configure(connection).get_current_heads())
    except SQLAlchemyError as error:
        raise translate(error) from error
    if found != set(script.get_heads()):
        have = ", ".join(sorted(found)) or "none"
        raise Unavailable(
            f"the database schema is at revision {have}, this release needs"
            f" {', '.join(script.get_heads())}",
            rule="storage.revision",
            remedy=f"run: {COMMAND}",
        )


def _create_private(url: URL) -> None:
    """Make the file before SQLite does, so that nobody else may read it; WAL files inherit that."""
    assert url.database is not None  # parse_url saw to it
    os.close(os.open(url.database, os.O_RDWR | os.O_CREAT, 0o600))
