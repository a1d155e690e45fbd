"""A token in the console: seen, tried, given a CA by the wizard, and shown with it."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.world import World


def test_a_ca_on_a_token(
    world: World, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/authorities/_new?kind=root")
    page.get_by_label("Name", exact=False).first.fill("token-root")
    page.get_by_label("Subject").fill("CN=Token Root,O=Example")
    page.get_by_label("Vault", exact=True).select_option("hsm")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("in vault hsm")).to_be_visible()
    page.goto("/console/vaults")
    check_accessibility(page)
    page.get_by_role("link", name="hsm", exact=True).click()
    expect(page.get_by_role("link", name="token-root")).to_be_visible()
    expect(page.get_by_text("sensitive, always sensitive, never extractable")).to_be_visible()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("made a key, signed, verified, destroyed it").first).to_be_visible()
    check_accessibility(page)
