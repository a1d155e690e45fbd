"""Authorities on screen: the tree, a new one below it, CRLs, and one that stops and goes on."""

from playwright.sync_api import Page, expect

from browser.world import World, accessible


def test_the_tree_is_a_picture_and_a_table(world: World, page: Page) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/authorities")
    expect(page.locator("svg .tree-node")).not_to_have_count(0)
    expect(page.locator("svg .tree-line")).not_to_have_count(0)
    page.get_by_role("link", name="issuing-ca").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("issuing-ca")
    expect(page.get_by_role("link", name="root-ca")).to_be_visible()


def test_an_authority_is_made_below_another(world: World, page: Page) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/authorities/_new?parent=root-ca")
    page.get_by_label("Name", exact=False).first.fill("branch-ca")
    page.get_by_label("Subject").fill("CN=Branch CA,O=Example")
    page.get_by_label("Key", exact=True).select_option("ec-p256")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("branch-ca")
    expect(page.get_by_text("its first CRL is published")).to_be_visible()
    page.get_by_role("button", name="Issue a CRL now").click()
    expect(page.get_by_text("CRL 2 is published.")).to_be_visible()
    page.get_by_role("button", name="Disable").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_text("branch-ca issues nothing from now on")).to_be_visible()
    page.get_by_role("button", name="Enable").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Enable").click()
    expect(page.get_by_text("branch-ca issues again.")).to_be_visible()


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    world: World, page: Page
) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/authorities/_new?parent=issuing-ca")
    page.get_by_label("Name", exact=False).first.fill("too-deep")
    page.get_by_label("Subject").fill("CN=Too Deep,O=Example")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#parent-error")).to_contain_text("path length is 0")
    expect(page.get_by_label("Subject")).to_have_value("CN=Too Deep,O=Example")


def test_responders_are_seen_and_a_choice_about_ocsp_is_kept(world: World, page: Page) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/ocsp")
    row = page.get_by_role("row").filter(has_text="issuing-ca OCSP responder")
    expect(row).to_contain_text("answers")
    row.get_by_role("link", name="issuing-ca", exact=True).click()
    page.get_by_label("Signatures on requests").select_option("verify")
    page.get_by_label("Archive cutoff (days)").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("answers follow within two seconds")).to_be_visible()
    expect(page.get_by_label("Archive cutoff (days)")).to_have_value("30")
    expect(page.get_by_label("Signatures on requests")).to_have_value("verify")
    assert not accessible(page)
