"""The pages in a real browser.  A test fails on anything the browser complains about."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from browser.world import (
    DESKTOP,
    NewPage,
    Seen,
    World,
    accessible_in_both_themes,
    chromium_is_there,
    served,
    too_wide,
)
from services.instance import Instance
from support.softhsm import SoftHsm


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver: one in a process, and stopped before tests with loops of their own."""
    if not chromium_is_there():
        pytest.fail("chromium is not installed: scripts/test-packages")
    expect.set_options(timeout=15_000)  # the machine has other work besides
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[World]:
    """One served instance and one browser for the tests of this folder."""
    home = tmp_path_factory.mktemp("browser")
    hsm = SoftHsm.create(home / "hsm")
    hsm.add("hsm")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", hsm.environment["SOFTHSM2_CONF"])
        with served(home / "instance", playwright, hsm.settings("hsm")) as made:
            yield made


@pytest.fixture(scope="package")
def instance(world: World) -> Instance:
    return world.instance


@pytest.fixture
def seen() -> Iterator[Seen]:
    """What the browser complains about; a test that expects it clears it."""
    noted = Seen()
    yield noted
    assert not noted.complaints


@pytest.fixture
def new_page(world: World, seen: Seen) -> Iterator[NewPage]:
    """Make a page in a browser of its own: ``new_page(theme="dark", size=PHONE)``."""
    with ExitStack() as stack:

        def make(*, theme: str = "light", size: tuple[int, int] = DESKTOP) -> Page:
            return stack.enter_context(world.context(seen, theme=theme, size=size)).new_page()

        yield make


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page of somebody whom nobody knows yet."""
    return new_page()


@pytest.fixture
def sign_in(world: World, page: Page) -> Callable[..., Page]:
    """Sign in on ``page``: ``sign_in("officer1")``."""

    def enter(name: str, password: str | None = None) -> Page:
        world.sign_in(page, name, password)
        return page

    return enter


@pytest.fixture
def check_accessibility() -> Callable[[Page], None]:
    """Fail on what axe-core finds on a page as it is, in both themes, or if it is too wide."""

    def check(page: Page) -> None:
        assert not accessible_in_both_themes(page)
        assert too_wide(page) is None

    return check
