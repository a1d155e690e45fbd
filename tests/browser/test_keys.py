"""Keys in the console: a group and a template of one's own, a key's life, its way out, Home."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.world import NewPage, World


def test_a_key_from_its_template_to_its_compromise(
    world: World, new_page: NewPage, check_accessibility: Callable[[Page], None]
) -> None:
    admin, page = new_page(), new_page()
    world.sign_in(admin, "admin")
    admin.goto("/console/keys/_groups/_new")
    admin.get_by_label("Name").fill("shop")
    admin.get_by_label("Below").select_option("vault")
    for right in ("Use", "Manage"):
        admin.get_by_label(f"{right}: ca-operator").check()
    admin.get_by_label("Approve: ra-officer").check()
    admin.get_by_role("button", name="Make it").click()
    expect(admin.get_by_text("The key group shop is made.")).to_be_visible()
    admin.goto("/console/keys/_templates/_new?from=data-aes-256-exportable")
    admin.get_by_label("Name").fill("shop-data")
    admin.get_by_label("Days between versions").fill("10")
    admin.get_by_role("button", name="Make it").click()

    world.sign_in(page, "operator")
    page.goto("/console/keys/_new")
    page.get_by_role("link", name="shop-data").click()
    page.get_by_label("Name").fill("carts")
    page.get_by_label("Key group").select_option("shop")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("It gets its next version soon")).to_be_visible()
    check_accessibility(page)  # every page is looked at elsewhere: here what it says besides

    page.get_by_role("link", name="Try it").click()
    page.get_by_label("Text").fill("three of them")
    page.get_by_role("button", name="Encrypt").click()
    expect(page.get_by_label("Ciphertext", exact=True)).to_contain_text("chy1.")
    check_accessibility(page)

    page.goto("/console/keys/carts/export/wrapped")
    page.get_by_label("Wrapping key").select_option("kek")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Export").click()
    assert coming.value.path().read_text().startswith("D0")

    page.goto("/console/keys/carts/rotate")
    expect(page.get_by_text("Version 2 is generated")).to_be_visible()
    page.get_by_role("button", name="Make version 2").click()
    page.goto("/console/keys/_calendar?days=30")
    expect(page.get_by_role("link", name="carts").first).to_be_visible()

    page.goto("/console/keys/carts")
    page.get_by_role("link", name="Report compromise").first.click()
    expect(page.get_by_text("this cannot be taken back")).to_be_visible()
    page.get_by_label("Why").fill("seen in a log")
    page.get_by_role("button", name="Report compromise").click()
    expect(page.get_by_role("main").get_by_text("Compromised").first).to_be_visible()

    officer = new_page()
    world.sign_in(officer, "officer1")
    item = officer.get_by_role("link", name="Agree to what others ask for about key kek")
    expect(item).to_be_visible()
    item.click()
    expect(officer.get_by_role("button", name="Agree")).to_be_visible()
    expect(officer.get_by_text("2: officer1, officer2")).to_be_visible()
    check_accessibility(officer)
