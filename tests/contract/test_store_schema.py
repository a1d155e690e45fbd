"""The schema in the database is the schema in the code, however it came there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, create_engine, inspect, text

from chancery.adapters.storage import migrate, open_store, schema_identity
from chancery.adapters.storage.engine import parse_url
from chancery.adapters.storage.schema import metadata
from chancery.domain.errors import BadRequest, Unavailable
from services.postgres import Server


def test_upgrade_creates_everything_and_then_does_nothing(empty_url: str) -> None:
    migrate(empty_url)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        tables = set(inspect(connection).get_table_names())
        connection.execute(text("INSERT INTO crl_counter (authority, number) VALUES ('a', 7)"))
    assert tables == set(metadata.tables) | {"alembic_version"}
    migrate(empty_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT number FROM crl_counter")).scalar_one() == 7
    engine.dispose()


def test_no_drift_between_revisions_and_tables(raw: Engine) -> None:
    assert schema_identity.user_account.name in metadata.tables
    with raw.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        # What Alembic does not compare: checks, and where foreign keys lead.
        inspector = inspect(connection)
        for table in metadata.sorted_tables:
            checks = {c["name"] for c in inspector.get_check_constraints(table.name)}
            declared = {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
            assert checks == declared, table.name
            keys = {
                (tuple(k["constrained_columns"]), k["referred_table"], k["options"].get("ondelete"))
                for k in inspector.get_foreign_keys(table.name)
            }
            assert keys == {
                (tuple(k.column_keys), k.referred_table.name, k.ondelete)
                for k in table.foreign_key_constraints
            }, table.name


def test_a_store_is_not_opened_on_another_revision(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    with pytest.raises(Unavailable, match="revision none") as caught:
        open_store(empty_url, clock=None)  # type: ignore[arg-type]
    assert caught.value.remedy == "run: chancery database upgrade"
    migrate(empty_url)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Unavailable, match="revision 9999"):
        open_store(empty_url, clock=None)  # type: ignore[arg-type]


def test_the_file_is_ours_alone(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/new.db")
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///relative.db",
        "mysql://u:secret@h/d",
        "postgresql+asyncpg://h/d",
        "::",
    ],
)
def test_only_engines_we_trust(url: str) -> None:
    with pytest.raises(BadRequest) as caught:
        migrate(url)
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_two_nodes_that_start_at_once_take_turns(postgres_server: Server) -> None:
    url = postgres_server.database()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [url] * 4))
    open_store(url, clock=None).close()  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_is_one_driver(scheme: str) -> None:
    assert parse_url(f"{scheme}://u@h/d").drivername == "postgresql+psycopg"
