"""Signing in where a second factor is required: enrolling it, using it, losing it, joining, stepping up."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyotp
import pytest
from playwright.sync_api import Page, Playwright, expect

from browser.world import NewPage, World, served
from services.rest import Rest

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[World]:
    """An instance where a password alone opens nothing."""
    settings = '\n[login]\nsecond_factor = "required"\nstep_up_for = "PT1M"\n'
    directory = tmp_path_factory.mktemp("strict") / "instance"
    with served(directory, playwright, settings, bare=True) as made:
        yield made


def person(world: World, name: str, **more: object) -> None:
    body = {"name": name, "roles": ["ra-officer"], "password": PASSWORD} | more
    reply = Rest(world.instance, "admin")("POST", "/users", body)
    assert reply.status == 201, reply.body


def code(secret: str, step: int = 0) -> str:
    """What the app shows, *step* half minutes from now: each code is good once."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * step)


@contextmanager
def authenticator(page: Page) -> Iterator[None]:
    """A passkey in the browser itself, with a finger on it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield


def enrol_app(page: Page) -> tuple[str, list[str]]:
    """Go through enrolling an authenticator app; return its secret and the recovery codes."""
    expect(page.get_by_role("heading", level=1)).to_have_text("A second factor")
    page.get_by_role("button", name="Authenticator app").click()
    expect(page.locator(".qr svg")).to_be_visible()
    secret = page.locator(".copyable code").inner_text()
    page.get_by_label("Code that your app shows").fill(code(secret, -1))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    codes = page.locator(".code-block code").inner_text().split()
    assert len(codes) == 10
    page.get_by_role("button", name="I have kept them").click()
    return secret, codes


def test_an_app_is_enrolled_and_asked_for(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    person(world, "tess")
    world.sign_in(page, "tess", PASSWORD)
    check_accessibility(page)
    page.goto("/console")  # nothing else is open yet
    expect(page).to_have_url(re.compile("/console/sign-in/enrol"))
    page.get_by_role("button", name="Authenticator app").click()
    page.get_by_label("Code that your app shows").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#code-error")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("button", name="Show a new picture").click()
    check_accessibility(page)
    secret = page.locator(".copyable code").inner_text()
    page.get_by_label("Code that your app shows").fill(code(secret, -1))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    check_accessibility(page)
    codes = page.locator(".code-block code").inner_text().split()
    page.get_by_role("button", name="I have kept them").click()
    expect(page).to_have_url(f"{world.url}/console")

    page.context.clear_cookies()
    world.sign_in(page, "tess", PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
    page.get_by_label("Code of your authenticator app").fill("000000")
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("the code is wrong")
    check_accessibility(page)
    page.get_by_label("Code of your authenticator app").fill(code(secret))
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page).to_have_url(f"{world.url}/console")

    page.context.clear_cookies()
    world.sign_in(page, "tess", PASSWORD)
    page.get_by_text("No device at hand?").click()
    page.get_by_label("Recovery code").fill(codes[3])
    page.get_by_role("button", name="Go on with this code").click()
    expect(page).to_have_url(f"{world.url}/console")


def test_a_passkey_is_enrolled_and_asked_for(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    person(world, "pat")
    world.sign_in(page, "pat", PASSWORD)
    with authenticator(page):
        page.get_by_label("Name of the passkey").fill("Laptop")
        page.get_by_role("button", name="Passkey or security key").click()
        page.get_by_role("button", name="I have kept them").click()
        expect(page).to_have_url(f"{world.url}/console")
        page.context.clear_cookies()
        world.sign_in(page, "pat", PASSWORD)
        check_accessibility(page)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(f"{world.url}/console")


def test_a_password_that_must_be_changed(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    person(world, "nora", must_change_password=True)
    world.sign_in(page, "nora", PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("A new password")
    page.get_by_label("Password so far").fill(PASSWORD)
    page.get_by_label("New password", exact=False).nth(0).fill("a much better one than before")
    page.get_by_label("New password again").fill("another")
    page.get_by_role("button", name="Change it").click()
    expect(page.locator("#again-error")).to_be_visible()
    check_accessibility(page)
    for label, text in (
        ("#current", PASSWORD),
        ("#password", "a much better one than before"),
        ("#again", "a much better one than before"),
    ):
        page.locator(label).fill(text)
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A second factor")


def test_two_sign_in_together(world: World, new_page: NewPage, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    admin = Rest(world.instance, "admin")
    secrets = {}
    for name in ("ann", "bob"):
        person(world, name, roles=[])
        page = new_page()
        world.sign_in(page, name, PASSWORD)
        secrets[name], _ = enrol_app(page)
    group = {"name": "pair", "roles": ["ra-officer"], "logins_required": 2}
    assert admin("POST", "/groups", group).status == 201
    for name in secrets:
        assert admin("PUT", f"/groups/pair/members/{name}").status == 200

    page = new_page()
    world.sign_in(page, "ann", PASSWORD)
    page.get_by_label("Code of your authenticator app").fill(code(secrets["ann"]))
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.locator(".notice")).to_contain_text("pair may do counts only when two members")
    page.get_by_role("link", name="Have the second member sign in").click()
    check_accessibility(page)
    page.get_by_label("Name of the second member").fill("bob")
    page.get_by_label("Their password").fill(PASSWORD)
    page.get_by_role("button", name="Join ann").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Second member")
    page.get_by_label("Code of your authenticator app").fill(code(secrets["bob"]))
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.locator(".account summary")).to_contain_text("with bob")
    page.locator(".account summary").click()
    expect(page.locator(".account-menu")).to_contain_text("RA officer")
    page.goto("/console/sign-in/joint")
    expect(page.get_by_text("ann and bob are signed in together")).to_be_visible()


def test_a_certificate_that_nobody_showed(page: Page) -> None:
    page.goto("/console/sign-in")
    expect(page.get_by_role("button", name="Sign in with your certificate")).to_have_count(0)
