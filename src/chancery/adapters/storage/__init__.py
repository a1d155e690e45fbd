"""The record, in SQLite or PostgreSQL, through SQLAlchemy Core."""

from chancery.adapters.storage.store import SqlStore, open_store

__all__ = ["SqlStore", "migrate", "open_store"]


def migrate(url: str) -> None:
    """Create the schema, or upgrade it to the newest revision; do nothing if it is current.

    Alembic is loaded for this alone: it is a tenth of a process's memory.
    """
    from chancery.adapters.storage import upgrading  # noqa: PLC0415

    upgrading.migrate(url)
