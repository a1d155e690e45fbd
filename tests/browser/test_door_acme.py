"""An ACME door in the console: a key for a client, and certificates that are renewed early."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.world import World


def test_a_key_and_an_early_renewal(
    world: World, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "admin")
    page.goto("/console/doors/acme/main")
    expect(page.get_by_text("--eab-kid KID").first).to_be_visible()
    page.get_by_label("Names that may be ordered").fill(".web.example.org")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("HMAC key")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("link", name="Accounts, orders and early renewals").click()
    expect(page.get_by_text("Nothing is moved")).to_be_visible()
    page.get_by_label("Profile").select_option("tls-server")
    page.get_by_label("Within hours").fill("48")
    page.get_by_label("Explanation").fill("ftp://status.example.org/")
    page.get_by_role("button", name="Move what was issued until now").click()
    expect(page.get_by_text("the explanation is a URL").first).to_be_visible()
    page.get_by_label("Explanation").fill("https://status.example.org/rotation")
    page.get_by_role("button", name="Move what was issued until now").click()
    expect(page.get_by_text("Clients are told when they ask next")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Nothing is moved")).to_be_visible()
