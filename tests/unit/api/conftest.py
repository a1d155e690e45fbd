"""The API over a real identity service; every other service only says that it was reached."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asking import Asker
from factors import factor_tools
from people import PASSWORD, CountingHasher, SteppedClock

from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.api import Api, Services, create_api
from chancery.domain.errors import NotFound
from chancery.domain.identity import SYSTEM, Permission, Role
from chancery.services.identity import IdentityService


class Reached:
    """Any method of any service or of its parts: raises NotFound, as no permission check does."""

    def __getattr__(self, name: str) -> "Reached":
        return Reached()

    def __call__(self, *_: object, **__: object) -> None:
        raise NotFound("reached")


@dataclass
class House:
    """The API, who may knock, and what stands behind it."""

    api: Api
    services: Services
    identity: IdentityService
    store: SqlStore
    clock: SteppedClock
    tokens: dict[str, str]

    @property
    def anonymous(self) -> Asker:
        return Asker(self.api)

    def by(self, name: str) -> Asker:
        return Asker(self.api).as_bearer(self.tokens[name])


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def store(template: Path, tmp_path: Path, clock: SteppedClock) -> Iterator[SqlStore]:
    shutil.copy(template, tmp_path / "chancery.db")
    opened = open_store(f"sqlite:///{tmp_path}/chancery.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def behind() -> dict[str, Any]:
    """Services that a test puts in the place of ``Reached``."""
    return {}


@pytest.fixture
def house(store: SqlStore, clock: SteppedClock, behind: dict[str, Any]) -> House:
    numbers = iter(range(1, 1_000_000))
    identity = IdentityService(
        store,
        CountingHasher(),
        clock,
        lambda size: next(numbers).to_bytes(size),
        tools=factor_tools(),
    )
    tokens = {}
    for role in Role:
        identity.users.create(SYSTEM, role.value, roles=[role], password=PASSWORD)
        tokens[role.value] = identity.tokens.create(SYSTEM, owner=role.value, days=2)[1]
    identity.users.create(SYSTEM, "disabled", roles=[Role.ADMINISTRATOR])
    tokens["disabled"] = identity.tokens.create(SYSTEM, owner="disabled")[1]
    identity.users.edit(SYSTEM, "disabled", disabled=True)
    tokens["expired"] = identity.tokens.create(SYSTEM, owner="administrator", days=1)[1]
    for role in Role:
        tokens[f"narrow-{role.value}"] = identity.tokens.create(
            SYSTEM, owner=role.value, days=2, scopes=[Permission.PUBLIC]
        )[1]
    clock.now += 86_400
    given: dict[str, Any] = {name: Reached() for name in Services.__dataclass_fields__}
    given |= {"identity": identity, "store": store, "clock": clock}
    services = Services(**(given | behind))
    return House(create_api(services), services, identity, store, clock, tokens)
