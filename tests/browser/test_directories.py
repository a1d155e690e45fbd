"""People of a directory and of a provider, in the browser: they sign in, decide, prove it again."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, Playwright, expect
from vouching import directory_settings, provider_settings

from browser.world import DESKTOP, NewPage, Seen, World, served
from services.oidc_provider import Missing, Provider
from services.slapd import Slapd, password_of


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Of its own: its redirect URI is that of the instance."""
    try:
        made = Provider.prepare()
    except Missing as missing:
        pytest.skip(str(missing))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    playwright: Playwright,
    directory_server: Slapd,
    provider: Provider,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("vouched")
    settings = directory_settings(directory_server, folder) + provider_settings(provider, folder)
    settings += '\n[login]\nstep_up_for = "PT6S"\n'
    with served(folder / "instance", playwright, settings) as made:
        provider.open(f"{made.instance.facts['https']}/console/sign-in/provider/op/return")
        yield made


@pytest.fixture
def trusting(world: World, seen: Seen) -> Iterator[NewPage]:
    """Make a page that trusts the provider's certificate too, at the address it sends people to."""
    with ExitStack() as stack:

        def make() -> Page:
            context = world.browser.new_context(
                base_url=world.instance.facts["https"],
                ignore_https_errors=True,
                viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
                reduced_motion="reduce",
            )
            stack.callback(context.close)
            context.on("page", seen.watch)
            context.set_default_timeout(15_000)
            return context.new_page()

        yield make


def test_an_officer_of_the_directory_sees_the_queue_and_decides(world: World, page: Page) -> None:
    world.sign_in(page, "alice", password_of("alice"))
    page.goto("/console/requests")
    expect(page.locator(".stats")).to_contain_text("Your group decides: officers")
    page.get_by_role("link", name=re.compile("pending.example.org")).first.click()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".people")).to_contain_text("alice@corp")


def test_a_wrong_password_of_the_directory_sounds_like_any_other(world: World, page: Page) -> None:
    for name in ("bob", "nobody", "officer1"):
        page.goto("/console/sign-in")
        page.fill("#name", name)
        page.fill("#password", "not the password")
        page.click("form[action='/console/sign-in'] button[type=submit]")
        expect(page.get_by_role("alert")).to_contain_text("the name or the password is wrong")


def test_an_administrator_looks_at_them(
    world: World,
    page: Page,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    world.sign_in(page, "admin")
    page.get_by_role("link", name="Directories").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Directories and providers")
    check_accessibility(page)
    page.get_by_label(re.compile("Look somebody up")).fill("alice")
    page.get_by_role("button", name="Try corp").click()
    expect(page.get_by_role("status").first).to_contain_text("answers as it should")
    expect(page.locator("main")).to_contain_text("alice@corp")
    check_accessibility(page)
    page.get_by_role("button", name="Try op").click()
    expect(page.get_by_role("status").first).to_contain_text("answers as it should")
    page.get_by_label(re.compile("Look somebody up")).fill("stranger")
    page.get_by_role("button", name="Try corp").click()
    expect(page.get_by_role("alert")).to_contain_text("knows nobody active")


def forget_theirs(world: World, seen: Seen) -> None:
    """What is wrong with the provider's own pages is not ours to mend."""
    ours = world.instance.facts["https"]
    seen.complaints[:] = [text for text in seen.complaints if text.startswith(ours)]


def through_the_provider(page: Page, login: str) -> None:
    page.get_by_label("Login").fill(login)
    page.get_by_role("button", name="Sign in").click()


def test_somebody_comes_through_the_provider_and_proves_it_again(
    world: World,
    provider: Provider,
    trusting: NewPage,
    seen: Seen,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    page = trusting()
    page.goto("/console/requests?state=any")
    check_accessibility(page)
    page.get_by_role("link", name="Continue with Test provider").click()
    through_the_provider(page, "alice")
    expect(page).to_have_url(re.compile(r"/console/requests\?state=any$"))
    expect(page.locator("main")).to_contain_text("pending.example.org")
    page.get_by_role("link", name=re.compile("pending.example.org")).first.click()
    page.wait_for_timeout(7000)
    page.get_by_role("button", name="Deny").click()
    page.get_by_label("Reason").fill("not of ours")
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    check_accessibility(page)
    page.get_by_role("link", name="Go to Test provider").click()
    through_the_provider(page, "alice")
    expect(page).to_have_url(re.compile("/console/requests/"))
    page.get_by_role("button", name="Deny").click()
    page.get_by_label("Reason").fill("not of ours")
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.locator(".decision-state")).to_contain_text("denied", ignore_case=True)
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    check_accessibility(page)
    page.get_by_role("link", name="Sign out of Test provider as well").click()
    expect(page).to_have_url(re.compile(f"^{provider.issuer}/session/end"))
    forget_theirs(world, seen)


def test_who_refuses_there_is_told_so_here(world: World, trusting: NewPage, seen: Seen) -> None:
    page = trusting()
    page.goto("/console/sign-in")
    page.get_by_role("link", name="Continue with Test provider").click()
    through_the_provider(page, "a stranger")
    expect(page).to_have_url(re.compile("/console/sign-in$"))
    expect(page.locator(".notice")).to_contain_text("did not sign you in: you refused")
    page.goto("/console/sign-in/provider/op/return?code=stolen&state=guessed")
    expect(page.locator(".notice")).to_contain_text("belongs to no sign-in of this browser")
    forget_theirs(world, seen)
