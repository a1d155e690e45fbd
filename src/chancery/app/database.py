"""``chancery database upgrade``: the schema that this release needs."""

from pathlib import Path

from chancery.adapters.storage import migrate
from chancery.settings import load


def upgrade(config: Path) -> None:
    """Bring the database of an instance to the newest revision; nothing if it is there."""
    migrate(load(config).database.url)
