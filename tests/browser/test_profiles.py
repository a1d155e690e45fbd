"""Policy by hand: a profile edited against its preview, a risk that blocks, rows by keyboard."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.world import World

SignIn = Callable[..., Page]
Check = Callable[[Page], None]


def field(page: Page, name: str):  # type: ignore[no-untyped-def]  # playwright's Locator
    """An input by the name that the service gives it."""
    return page.locator(f"[id='{name}']")


def test_a_profile_is_edited_against_its_preview(
    sign_in: SignIn, check_accessibility: Check
) -> None:
    page = sign_in("admin")
    page.goto("/console/profiles")
    page.get_by_role("link", name="New profile").first.click()
    preview = page.locator("#preview")
    field(page, "profile.name").fill("intranet-server")
    field(page, "profile.validity_s").fill("soon")
    expect(preview).to_contain_text("is no length of time")
    field(page, "profile.validity_s").fill("30 days")
    page.get_by_role("button", name="Add a rule").click()
    expect(field(page, "profile.san[0].kind")).to_be_focused()
    field(page, "profile.san[0].suffixes").fill(".corp.example")
    expect(preview).to_contain_text("dns:www.corp.example")
    expect(preview).to_contain_text("The inline linter finds nothing")
    check_accessibility(page)
    # A wildcard below a domain that is named is a warning; below any domain it blocks.
    page.get_by_label("Wildcards").check()
    expect(preview).to_contain_text("stolen key stands for every host")
    expect(preview).to_contain_text("dns:*.corp.example")
    field(page, "profile.san[0].suffixes").fill("")
    expect(preview.locator(".finding-bad")).to_contain_text("wildcard-unbounded")
    page.get_by_role("button", name="Create profile").first.click()
    expect(page.get_by_role("alert").first).to_contain_text("wildcard of any domain")
    expect(field(page, "profile.validity_s")).to_have_value("30 days")
    expect(page.get_by_label("Wildcards")).to_be_checked()
    check_accessibility(page)
    field(page, "accept_risks.wildcard-unbounded").fill("nothing trusts this CA but the lab")
    page.get_by_role("button", name="Create profile").first.click()
    expect(page).to_have_url(re.compile("/console/profiles/intranet-server$"))
    expect(page.locator(".notice")).to_contain_text("Version 1 of intranet-server is in force.")
    expect(page.locator("main")).to_contain_text("nothing trusts this CA but the lab")
    _second_version(page, check_accessibility)


def _second_version(page: Page, check_accessibility: Check) -> None:
    page.get_by_role("link", name="Edit").click()
    reason = field(page, "accept_risks.wildcard-unbounded")
    expect(reason).to_have_value("nothing trusts this CA but the lab")
    page.get_by_label("Wildcards").uncheck()
    expect(page.locator("#preview .change-list")).to_contain_text("san[dns].wildcards")
    page.get_by_role("button", name="Save new version").first.click()
    expect(page.locator(".notice")).to_contain_text("Version 2")
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("row", name="san[dns].wildcards")).to_contain_text("yes")
    check_accessibility(page)
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Retire").click()
    page.get_by_role("dialog").get_by_role("button", name="Retire").click()
    expect(page.locator(".notice")).to_contain_text("is retired")


def test_a_candidate_is_tried_on_what_was_asked(
    sign_in: SignIn, check_accessibility: Check
) -> None:
    page = sign_in("admin")
    page.goto("/console/profiles/tls-server/edit")
    field(page, "profile.san[0].suffixes").fill(".corp.example")
    page.get_by_role("button", name="Try it").click()
    trial = page.locator("#trial")
    expect(trial).to_contain_text("Nothing was written.")
    expect(trial.get_by_role("row", name="pending.example.org")).to_contain_text(
        "it lies outside the allowed domains"
    )
    check_accessibility(page)


def test_what_no_reason_helps_is_not_saved(sign_in: SignIn) -> None:
    page = sign_in("admin")
    page.goto("/console/registrations/main/edit")
    page.get_by_label("Requests without an account").uncheck()
    field(page, "ra.approvals").fill("0")
    expect(page.locator("#preview")).to_contain_text("It cannot be accepted.")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(field(page, "ra.approvals")).to_have_value("0")
    page.goto("/console/registrations/main")
    expect(page.locator("main")).to_contain_text("2 of the officers")


def test_a_registration_authority_by_keyboard(
    world: World, sign_in: SignIn, check_accessibility: Check
) -> None:
    page = sign_in("admin")
    page.goto("/console/registrations/_new")
    field(page, "ra.name").focus()
    page.keyboard.type("branch")
    for name, value in (("profiles", "tls-server"), ("authorities", "issuing-ca")):
        page.locator(f"input[name='ra.{name}'][value='{value}']").focus()
        page.keyboard.press("Space")
    field(page, "ra.approval_group").focus()
    page.keyboard.type("officers")
    field(page, "ra.daily_per_requester").focus()
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{world.url}/console/registrations/branch")
    expect(page.locator("main")).to_contain_text("1 of the officers")
    check_accessibility(page)
    page.get_by_role("button", name="Disable").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".notice").first).to_contain_text("takes no more requests")
    page.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("branch is deleted")
    page.goto("/console/registrations?q=branch")
    expect(page.locator("#results")).to_contain_text("No registration authority fits")


def test_attributes_move_by_keyboard(sign_in: SignIn, check_accessibility: Check) -> None:
    page = sign_in("admin")
    page.goto("/console/dn-profiles/_new?copy=device")
    field(page, "dn_profile.name").fill("device-numbered")
    page.get_by_role("button", name="Move attribute 7 up").focus()
    page.keyboard.press("Enter")
    expect(field(page, "dn_profile.attributes[5].oid")).to_be_focused()
    expect(field(page, "dn_profile.attributes[5].oid")).to_have_value("2.5.4.5")
    page.get_by_role("button", name="Remove attribute 1", exact=True).focus()
    page.keyboard.press("Enter")
    expect(field(page, "dn_profile.attributes[0].oid")).to_have_value("2.5.4.8")
    page.get_by_role("button", name="Add an attribute").click()
    expect(field(page, "dn_profile.attributes[6].oid")).to_be_focused()
    field(page, "dn_profile.attributes[6].oid").select_option("2.5.4.10")
    field(page, "dn_profile.attributes[6].source").select_option("fixed")
    field(page, "dn_profile.attributes[6].value").fill("Example GmbH")
    expect(page.locator("#preview")).to_contain_text("O=Example GmbH")
    check_accessibility(page)
    page.get_by_role("button", name="Create DN profile").first.click()
    expect(page.locator(".notice")).to_contain_text("device-numbered is in force")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".notice")).to_contain_text("is deleted")


def test_without_scripts_the_same_things_work(world: World) -> None:
    context = world.browser.new_context(base_url=world.url, java_script_enabled=False)
    page = context.new_page()
    world.sign_in(page, "admin")
    page.goto("/console/profiles/tls-server/edit")
    page.get_by_role("button", name="Add a rule").click()
    field(page, "profile.san[2].kind").select_option("uri")
    page.get_by_role("button", name="Move rule 3 up").click()
    expect(field(page, "profile.san[1].kind")).to_have_value("uri")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("uri:https://example.org/")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial")).to_contain_text("Nothing was written.")
    context.close()
