"""The audit log on screen: found, followed, proven in the browser, and not proven when it was bent."""

import json

from playwright.sync_api import Page, expect

from browser.world import World

BEND = """new MutationObserver(() => {
  const proof = document.querySelector("[data-proof]");
  if (proof?.textContent.includes("login.succeeded"))
    proof.textContent = proof.textContent.replace("login.succeeded", "login.succeedeD");
}).observe(document, {childList: true, subtree: true});"""


def test_a_record_is_found_and_proven_in_the_browser(world: World, page: Page) -> None:
    world.sign_in(page, "auditor")
    page.goto("/console/audit")
    page.get_by_label("Action").fill("certificate.issued")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="certificate.issued").first.click()
    page.get_by_role("button", name="Verify in this browser").click()
    checks = page.locator("[data-checks] li")
    expect(checks).to_have_count(3)
    expect(page.locator("[data-checks][data-verified=true]")).to_be_visible()


def test_a_bent_record_does_not_verify(world: World, page: Page) -> None:
    world.sign_in(page, "auditor")

    page.goto("/console/audit?action=login.succeeded")
    address = page.get_by_role("link", name="login.succeeded").last.get_attribute("href")
    assert address is not None
    page.add_init_script(BEND)
    page.goto(address)
    page.get_by_role("button", name="Verify in this browser").click()
    expect(page.locator("[data-checks][data-verified=false]")).to_be_visible()
    expect(page.locator(".check-bad").first).to_contain_text("The leaf has the hash")


def test_one_thing_is_followed_through_time_and_taken_along(world: World, page: Page) -> None:
    world.sign_in(page, "auditor")
    page.goto("/console/audit?action=request.approved")
    about = page.get_by_title("Follow it through time").first
    subject = about.inner_text()
    about.click()
    for action in ("request.submitted", "request.approved"):
        expect(page.get_by_role("link", name=action).first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export what is found").click()
    lines = download.value.path().read_text().splitlines()
    assert {json.loads(line)["subject"] for line in lines} == {subject}


def test_the_log_is_for_auditors(world: World, page: Page) -> None:
    world.sign_in(page, "officer1")
    page.goto("/console/audit")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Audit log")
