"""The record, in SQLite or PostgreSQL, through SQLAlchemy Core."""

from chancery.adapters.storage.migrate import migrate
from chancery.adapters.storage.store import SqlStore, open_store

__all__ = ["SqlStore", "migrate", "open_store"]
