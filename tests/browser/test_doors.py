"""Doors in the console: opened, a credential made and shown once, revoked, closed for good."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.world import World


def test_a_door_from_opening_to_closing(
    world: World, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "admin")
    page.goto("/console/doors")
    check_accessibility(page)
    page.get_by_role("link", name="Open a door").first.click()
    page.get_by_label("Protocol").select_option("cmp")
    page.get_by_label("Label").fill("plant")
    page.get_by_label("Registration authority").select_option("main")
    page.get_by_label("Profile", exact=False).first.select_option("device")
    check_accessibility(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("/.well-known/cmp/p/plant").first).to_be_visible()

    page.get_by_label("Subject").fill("CN=press-7,O=Example")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("shown this once")).to_be_visible()
    check_accessibility(page)
    page.goto("/console/doors/cmp/plant")
    expect(page.get_by_text("CN=press-7,O=Example")).to_be_visible()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("Nobody enrols with it any more.")).to_be_visible()

    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Settings", exact=True).fill("[")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("the settings are no JSON object").first).to_be_visible()

    page.goto("/console/doors/cmp/plant")
    page.get_by_role("button", name="Close for good").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Close for good").click()
    expect(page.get_by_text("is closed for good")).to_be_visible()


def test_one_time_passwords_from_a_list(
    world: World, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "officer1")
    page.goto("/console/doors/scep/main")
    check_accessibility(page)
    page.get_by_label("List").fill("subject,san\nCN=a,dns:a.test\nno name,")
    page.get_by_role("button", name="Make them").click()
    expect(page.get_by_text("line 3:").first).to_be_visible()
    page.get_by_label("List").fill("subject,san\nCN=a,dns:a.test\nCN=b,dns:b.test")
    page.get_by_role("button", name="Make them").click()
    expect(page.get_by_text("2 passwords, shown this once")).to_be_visible()
    made = page.get_by_label("One-time passwords as CSV", exact=True)
    expect(made).to_contain_text("CN=b,dns:b.test,")
    check_accessibility(page)
