"""Signing in, as people do it: by mouse, by keyboard, wrongly, and out again."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.world import PHONE, NewPage, World

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


def test_a_name_and_a_password_open_the_console(world: World, page: Page) -> None:
    page.goto("/console")
    expect(page).to_have_url(re.compile(r"/console/sign-in\?next=%2Fconsole$"))
    page.fill("#name", "officer1")
    page.fill("#password", world.password("officer1"))
    page.click("text=Sign in >> nth=-1")
    expect(page).to_have_url(f"{world.url}/console")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".notice")).to_contain_text("You are signed out.")
    page.goto("/console")
    expect(page).to_have_url(re.compile("/console/sign-in"))


def test_a_wrong_password_says_what_is_wrong(page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    page.goto("/console/sign-in")
    page.fill("#name", "officer1")
    page.fill("#password", "not the password")
    page.click("button[type=submit] >> nth=0")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#name")).to_have_value("officer1")
    expect(page.locator("#password")).to_have_value("")
    check_accessibility(page)


def test_the_keyboard_alone_is_enough(world: World, page: Page) -> None:
    page.goto("/console/sign-in")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("officer1")
    page.keyboard.press("Tab")
    page.keyboard.type(world.password("officer1"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{world.url}/console")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.locator(".account summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_another_site_cannot_send_our_forms(sign_in, seen) -> None:  # type: ignore[no-untyped-def]
    page = sign_in("officer1")
    page.evaluate(
        "document.querySelector('form[action=\"/console/sign-out\"] [name=csrf]').value = 'x'"
    )
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")
    page.goto("/console")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")


def test_the_policy_is_strict_and_kept(world: World, page: Page, seen) -> None:  # type: ignore[no-untyped-def]
    answer = page.goto("/console/sign-in")
    assert answer is not None
    assert answer.headers["content-security-policy"] == POLICY
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'x()'}))"
    )
    page.wait_for_timeout(200)
    assert len(seen.complaints) == 2  # the watcher does watch
    assert all("Content Security Policy" in complaint for complaint in seen.complaints)
    seen.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_chosen_and_kept(page: Page, scheme: str) -> None:
    page.goto("/console/sign-in")
    page.get_by_role("button", name=scheme.capitalize()).click()
    for _ in range(2):
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        expect(page.get_by_role("button", name=scheme.capitalize())).to_have_attribute(
            "aria-pressed", "true"
        )
        page.reload()


def test_on_a_phone_the_navigation_unfolds(
    world: World, new_page: NewPage, check_accessibility
) -> None:  # type: ignore[no-untyped-def]
    page = new_page(size=PHONE)
    world.sign_in(page, "officer1")
    home = page.get_by_role("navigation", name="Sections").get_by_role("link", name="Home")
    expect(home).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(home).to_be_visible()
    check_accessibility(page)


def test_without_scripts_one_can_sign_in(world: World, seen) -> None:  # type: ignore[no-untyped-def]
    context = world.browser.new_context(base_url=world.url, java_script_enabled=False)
    page = context.new_page()
    world.sign_in(page, "officer1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".notice")).to_contain_text("You are signed out.")
    context.close()
