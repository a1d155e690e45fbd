"""Whether a database has the schema of this release; Alembic is not loaded for that."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.faults import translate
from chancery.domain.errors import Unavailable

COMMAND: Final = "chancery database upgrade"
_VERSIONS: Final = Path(__file__).with_name("migrations") / "versions"


def newest() -> str:
    """The revision this release needs: the files are named by their revisions, in order."""
    return max(path.name[1:5] for path in _VERSIONS.glob("r[0-9][0-9][0-9][0-9]_*.py"))


def check_revision(engine: Engine) -> None:
    """Raise Unavailable unless the database has exactly the revision this release needs."""
    found = _found(engine)
    if found != newest():
        raise Unavailable(
            f"the database schema is at revision {found or 'none'}, this release needs {newest()}",
            rule="storage.revision",
            remedy=f"run: {COMMAND}",
        )


def _found(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            if not engine.dialect.has_table(connection, "alembic_version"):
                return ""
            rows = connection.execute(text("SELECT version_num FROM alembic_version"))
            return ", ".join(sorted(row[0] for row in rows))
    except SQLAlchemyError as error:
        raise translate(error) from error
