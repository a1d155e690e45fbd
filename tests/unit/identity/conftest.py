"""An identity service over a real database, with a clock that obeys and a hasher that counts."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from factors import factor_tools
from people import PASSWORD, CountingHasher, SteppedClock

from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.domain.identity import SYSTEM, Role
from chancery.services.identity import IdentityPolicy, IdentityService


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("identity") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def store(template: Path, tmp_path: Path, clock: SteppedClock) -> Iterator[SqlStore]:
    shutil.copy(template, tmp_path / "chancery.db")
    opened = open_store(f"sqlite:///{tmp_path}/chancery.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def identity(store: SqlStore, hasher: CountingHasher, clock: SteppedClock) -> IdentityService:
    """One account of each role, all with the same password."""
    numbers = iter(range(1, 10_000))
    service = IdentityService(
        store,
        hasher,
        clock,
        lambda size: next(numbers).to_bytes(size),
        IdentityPolicy(max_failures=3, lock_s=600),
        tools=factor_tools(),
    )
    for name, role in PEOPLE.items():
        service.users.create(SYSTEM, name, roles=[role], password=PASSWORD)
    return service


PEOPLE = {
    "ada": Role.ADMINISTRATOR,
    "olga": Role.CA_OPERATOR,
    "oscar": Role.RA_OFFICER,
    "audrey": Role.AUDITOR,
    "rita": Role.REQUESTER,
}
