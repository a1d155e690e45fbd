"""Your account and other people's, in a real browser: factors enrolled there, sessions that end."""

import re
import time
from collections.abc import Callable

import pyotp
import pytest
from playwright.sync_api import Page, expect

from browser.world import NewPage, World
from services.rest import Rest

PASSWORD = "correct horse battery staple"
Check = Callable[[Page], None]


def person(world: World, name: str, **more: object) -> None:
    body = {"name": name, "roles": ["ra-officer"], "password": PASSWORD} | more
    reply = Rest(world.instance, "admin")("POST", "/users", body)
    assert reply.status == 201, reply.body


def add_authenticator(page: Page) -> None:
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


def test_factors_are_set_up_under_your_account(
    world: World, page: Page, check_accessibility: Check
) -> None:
    person(world, "amy")
    add_authenticator(page)
    world.sign_in(page, "amy", PASSWORD)
    page.locator(".account summary").click()
    page.get_by_role("link", name="Your account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("amy")

    page.get_by_role("button", name="Set up").click()
    expect(page.locator(".qr svg")).to_be_visible()
    check_accessibility(page)
    secret = page.locator(".copyable code").inner_text()
    app = pyotp.TOTP(secret)
    page.get_by_label("Code that your app shows").fill(app.at(int(time.time()) - 30))
    page.get_by_role("button", name="Take it into use").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    check_accessibility(page)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 codes left")).to_be_visible()

    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("What you call it").fill("Laptop")
    page.get_by_role("button", name="Register a passkey").click()
    expect(page.locator(".notice")).to_contain_text("The passkey is registered.")
    expect(page.get_by_role("cell", name="Laptop")).to_be_visible()
    page.get_by_role("button", name="Rename").click()
    page.locator("dialog[open] input[name=label]").fill("Old laptop")
    check_accessibility(page)
    page.locator("dialog[open]").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("cell", name="Old laptop")).to_be_visible()
    check_accessibility(page)

    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    world.sign_in(page, "amy", PASSWORD)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{world.url}/console")


def test_a_token_is_shown_once_and_works(
    world: World, page: Page, check_accessibility: Check
) -> None:
    person(world, "tom")
    world.sign_in(page, "tom", PASSWORD)
    page.goto("/console/account/tokens/new")
    page.get_by_label("What it is for").fill("Deployment")
    page.get_by_label("Request decide").uncheck()
    page.get_by_role("button", name="Make the token").click()
    check_accessibility(page)
    token = page.locator(".code-block code").first.inner_text()
    me = Rest(world.instance)("GET", "/me", token=token)
    assert me.body["name"] == "tom"
    assert "request.decide" not in me.body["permissions"]
    page.goto("/console/account")
    assert token not in page.content()
    page.locator("tr", has_text="Deployment").get_by_role("button", name="Revoke").click()
    page.locator("dialog[open]").get_by_role("button", name="Revoke").click()
    expect(page.locator(".notice")).to_contain_text("The token is revoked.")
    assert Rest(world.instance)("GET", "/me", token=token).status == 401


def test_an_administrator_makes_and_disables_an_account(
    world: World, new_page: NewPage, check_accessibility: Check
) -> None:
    admin, newcomer = new_page(), new_page()
    world.sign_in(admin, "admin")
    admin.get_by_role("link", name="People").click()
    admin.get_by_role("link", name="New account").click()
    admin.get_by_label("Account name").fill("Ned")
    admin.get_by_label("RA officer").check()
    admin.get_by_label("First password").fill(PASSWORD)
    admin.get_by_role("button", name="Make the account").click()
    expect(admin.locator("#name-error")).to_be_visible()
    expect(admin.get_by_label("RA officer")).to_be_checked()
    check_accessibility(admin)
    admin.get_by_label("Account name").fill("ned")
    admin.get_by_label("First password").fill(PASSWORD)
    admin.get_by_role("button", name="Make the account").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("ned")

    world.sign_in(newcomer, "ned", PASSWORD)
    expect(newcomer.get_by_role("heading", level=1)).to_have_text("A new password")
    newcomer.locator("#current").fill(PASSWORD)
    for field in ("#password", "#again"):
        newcomer.locator(field).fill("a much better one than before")
    newcomer.get_by_role("button", name="Change it").click()
    expect(newcomer).to_have_url(f"{world.url}/console")

    admin.reload()
    expect(admin.get_by_text("Chrome on Linux")).to_be_visible()
    check_accessibility(admin)
    admin.get_by_role("button", name="Disable").click()
    check_accessibility(admin)
    admin.locator("dialog[open]").get_by_role("button", name="Disable").click()
    expect(admin.locator(".notice")).to_contain_text("The account is disabled")
    newcomer.goto("/console/account")
    expect(newcomer).to_have_url(re.compile("/console/sign-in"))


def test_a_joint_session_ends_when_either_is_disabled(world: World, new_page: NewPage) -> None:
    admin = Rest(world.instance, "admin")
    group = {"name": "duo", "roles": ["ra-officer"], "logins_required": 2}
    assert admin("POST", "/groups", group).status == 201
    for name in ("una", "ulf"):
        person(world, name, roles=[])
        assert admin("PUT", f"/groups/duo/members/{name}").status == 200
    page = new_page()
    world.sign_in(page, "una", PASSWORD)
    page.goto("/console/account")
    expect(page.locator(".notice")).to_contain_text("duo")
    page.get_by_role("link", name="Have the second member sign in").click()
    page.get_by_label("Name of the second member").fill("ulf")
    page.get_by_label("Their password").fill(PASSWORD)
    page.get_by_role("button", name="Join una").click()
    expect(page.locator(".account summary")).to_contain_text("with ulf")
    page.goto("/console/account")
    expect(page.get_by_text("with ulf").first).to_be_visible()
    assert admin("PATCH", "/users/ulf", {"disabled": True}).status == 200
    page.reload()
    expect(page).to_have_url(re.compile("/console/sign-in"))


def test_filters_work_as_one_types(world: World, page: Page) -> None:
    world.sign_in(page, "admin")
    page.goto("/console/people")
    page.get_by_label("Name or e-mail").press_sequentially("officer")
    expect(page.get_by_role("link", name="officer1", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="requester", exact=True)).to_have_count(0)
    expect(page).to_have_url(re.compile("q=officer"))
    page.get_by_label("Role of its own").select_option("auditor")
    expect(page.get_by_text("No account fits")).to_be_visible()


def test_a_group_that_requires_two_logins(
    world: World, page: Page, check_accessibility: Check
) -> None:
    world.sign_in(page, "admin")
    page.goto("/console/people/groups")
    page.get_by_role("link", name="New group").click()
    page.get_by_label("Name", exact=True).fill("twins")
    page.get_by_label("Two", exact=False).check()
    check_accessibility(page)
    page.get_by_role("button", name="Make the group").click()
    expect(page.get_by_text("two sign in together")).to_be_visible()
    page.get_by_label("Put an account in").fill("requester")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("requester is in twins now")
    page.get_by_role("button", name="Remove").click()
    page.locator("dialog[open]").get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Delete").click()
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    expect(page.locator(".notice")).to_contain_text("is deleted")


@pytest.mark.parametrize("path", ["/console/account", "/console/people/users/officer1"])
def test_pages_without_scripts(world: World, path: str) -> None:
    context = world.browser.new_context(base_url=world.url, java_script_enabled=False)
    page = context.new_page()
    world.sign_in(page, "admin")
    page.goto(path)
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.locator("dialog[open]")).to_be_visible()
    context.close()
