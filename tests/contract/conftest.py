"""Stores to hold the contract against: the same tests for each engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import Engine

from chancery.adapters.storage import SqlStore, migrate, open_store
from services.postgres import Server


class FixedClock:
    """Stands still."""

    def __init__(self, now: int) -> None:
        self.now = now

    def ms(self) -> int:
        return self.now * 1000

    def s(self) -> int:
        return self.now


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "chancery.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> str:
    url = postgres_server.database()
    migrate(url)
    return make_url(url).database or ""


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "chancery.db")
    return f"sqlite:///{tmp_path}/chancery.db"


@pytest.fixture
def postgres_url(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    url = postgres_server.database(template=postgres_template)
    yield url
    postgres_server.drop(url)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(engine_name: str, request: pytest.FixtureRequest) -> str:
    """A database of its own, at the newest revision."""
    return str(request.getfixturevalue(f"{engine_name}_url"))


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def house_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A database for ``services.pki.House``; None: it makes its own, in SQLite."""
    if request.param == "sqlite":
        yield None
        return
    server: Server = request.getfixturevalue("postgres_server")
    url = server.database(template=request.getfixturevalue("postgres_template"))
    yield url
    server.drop(url)


@pytest.fixture
def empty_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema."""
    if engine_name == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    server: Server = request.getfixturevalue("postgres_server")
    return server.database()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url, clock=FixedClock(1_790_000_000))
    yield opened
    opened.close()


@pytest.fixture
def raw(url: str) -> Iterator[Engine]:
    """Somebody with a database client and no manners; SQLite enforces foreign keys for them too."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda link, _: link.execute("PRAGMA foreign_keys = ON"))
    yield engine
    engine.dispose()
