"""``chancery database upgrade``: the schema that this release needs."""

from pathlib import Path

from chancery.adapters.storage import migrate
from chancery.domain.errors import BadRequest
from chancery.settings import load


def upgrade(config: Path) -> None:
    """Bring the database of an instance to the newest revision; nothing if it is there."""
    url_file = load(config).database.url_file
    try:
        url = url_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"cannot read {url_file}: {getattr(error, 'strerror', None) or error}",
            field="database.url_file",
            remedy="it holds the database's URL: sqlite:////path or postgresql+psycopg://...",
        ) from error
    migrate(url)
