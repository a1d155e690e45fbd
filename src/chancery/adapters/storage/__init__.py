"""The record, in SQLite or PostgreSQL, through SQLAlchemy Core."""
