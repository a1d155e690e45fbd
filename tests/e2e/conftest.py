"""Instances that the end-to-end tests share."""

from collections.abc import Iterator

import pytest

from services.instance import Instance


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def instance(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """A served instance: on SQLite, then the same on PostgreSQL."""
    database = None
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_server").database()
    made = Instance.create(tmp_path_factory.mktemp("e2e") / "instance", database=database)
    with made.serving():
        yield made
