"""A weighty form waits for a fresh proof, and goes on by itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Playwright, expect

from browser.world import World, served

FRESH_S = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[World]:
    """An instance where a proof is stale after moments."""
    settings = f'\n[login]\nstep_up_for = "PT{FRESH_S}S"\n'
    directory = tmp_path_factory.mktemp("hasty") / "instance"
    with served(directory, playwright, settings, bare=True) as made:
        yield made


def test_what_was_about_to_be_sent_is_sent(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    world.sign_in(page, "officer1")
    page.goto("/console/account")
    page.wait_for_timeout(1000 * (FRESH_S + 1))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    check_accessibility(page)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(world.password("officer1"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".qr svg")).to_be_visible()


def test_it_can_be_left(world: World, page: Page) -> None:
    world.sign_in(page, "officer2")
    page.goto("/console/account")
    page.wait_for_timeout(1000 * (FRESH_S + 1))
    page.get_by_role("button", name="Set up").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(f"{world.url}/console/account")
