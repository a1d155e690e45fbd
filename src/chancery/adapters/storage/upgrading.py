"""Schema revisions: bring a database to the newest."""

import io
import os
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.engine import parse_url, writing_engine
from chancery.adapters.storage.faults import translate

_LOCK: Final = 0x63687972  # any fixed number: two nodes that start at once must take turns


def migrate(url: str) -> None:
    """Create the schema, or upgrade it to the newest revision; do nothing if it is current."""
    parsed = parse_url(url)
    if parsed.drivername == "sqlite":
        create_private(parsed)
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


def create_private(url: URL) -> None:
    """Make the file before SQLite does, so that nobody else may read it; WAL files inherit that."""
    assert url.database is not None  # parse_url saw to it
    os.close(os.open(url.database, os.O_RDWR | os.O_CREAT, 0o600))
