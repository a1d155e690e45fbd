"""The web faces over a real identity service; every other service only says that it was reached."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import Browser
from factors import factor_tools
from people import PASSWORD, CountingHasher, SteppedClock

from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.domain.errors import NotFound
from chancery.domain.identity import SYSTEM, Role
from chancery.services.identity import IdentityService
from chancery.services.roster import Services
from chancery.web import Web, create_web


class Reached:
    """Any part of any service: used, it raises NotFound, which no permission check does."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Reached()

    def __call__(self, *_: object, **__: object) -> None:
        raise NotFound("reached")

    def __iter__(self) -> Iterator[Any]:
        raise NotFound("reached")

    def __bool__(self) -> bool:
        raise NotFound("reached")


@dataclass
class House:
    """The faces, and what stands behind them."""

    web: Web
    services: Services
    identity: IdentityService
    clock: SteppedClock

    @property
    def stranger(self) -> Browser:
        return Browser(self.web)

    def visitor(self, name: str) -> Browser:
        """Somebody who has just signed in."""
        browser = Browser(self.web)
        assert browser.sign_in(name, PASSWORD).headers["location"] == "/console"
        return browser


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "template.db"
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
def services(store: SqlStore, clock: SteppedClock) -> Services:
    numbers = iter(range(1, 1_000_000))
    identity = IdentityService(
        store,
        CountingHasher(),
        clock,
        lambda size: next(numbers).to_bytes(size),
        tools=factor_tools(),
    )
    for role in Role:
        identity.users.create(SYSTEM, role.value, roles=[role], password=PASSWORD)
    given: dict[str, Any] = {name: Reached() for name in Services.__dataclass_fields__}
    return Services(**(given | {"identity": identity, "store": store, "clock": clock}))


@pytest.fixture
def house(services: Services, clock: SteppedClock) -> House:
    return House(create_web(services), services, services.identity, clock)
