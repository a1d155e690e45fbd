"""Certificates: found, looked at, revoked one by one and by the dozen, renewed."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.world import World
from services.csr import p256_csr


def issued(world: World, name: str, *words: str) -> str:
    """Have a certificate issued to the requester; its serial."""
    csr = world.instance.directory.parent / f"{name}.csr"
    csr.write_text(p256_csr(name))
    submit = ("request", "submit", str(csr), "--profile", "tls-server", "--ra", "main", *words)
    done = world.instance.json(*submit, user="requester")
    for officer in ("officer1", "officer2"):
        done = world.instance.json("request", "approve", done["id"], user=officer)
    return str(done["serial"])


def test_one_box_finds_it_by_whatever_is_at_hand(world: World, page: Page) -> None:
    serial = issued(world, "wanted.example.org")
    shown = world.instance.json("certificate", "show", serial, user="officer1")
    colons = ":".join(re.findall("..", shown["sha256"].upper()))
    world.sign_in(page, "officer1")
    for word, meaning in (
        ("wanted.example.org", "a name"),
        ("wante", "the beginning of a name"),
        ("dns:wanted.example.org", "a name"),
        (serial, "a serial number"),
        (serial[:12].upper(), "the beginning of a serial number"),
        (shown["sha256"], "a fingerprint"),
        (colons, "a fingerprint"),
        (shown["key_sha256"], "the hash of a key"),
        ("CN=wanted", "a subject"),
    ):
        page.goto("/console/certificates")
        page.get_by_label("Search", exact=True).fill(word)
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".chips")).to_contain_text(f"Taken for {meaning}.")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text("wanted.example.org")
    page.get_by_label("Search", exact=True).fill("nothing.like.it")
    expect(page.locator("#results")).to_contain_text("No certificate fits")  # as one types


def test_filters_are_addresses(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    world.sign_in(page, "officer1")
    page.goto("/console/certificates")
    page.get_by_label("State").select_option("revoked")
    expect(page).to_have_url(re.compile("status=revoked"))
    expect(page.locator("tbody tr", has_text="revoked.example.org")).to_be_visible()
    page.goto("/console/certificates?ends=90&requester=requester")
    expect(page.locator(".pager, tbody")).not_to_have_count(0)
    check_accessibility(page)
    page.goto("/console/certificates?expires_after=1700000000&key_sha256=00*")
    expect(page.locator(".chip")).to_have_count(2)
    page.get_by_role("link", name="Without key").click()
    expect(page.locator(".chip")).to_have_count(1)
    for bad in ("ends=never", "status=odd", "order=up", "search=" + "x" * 500):
        page.goto(f"/console/certificates?{bad}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Something in it is not right")


def test_its_page_tells_all(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    serial = world.made["issued-serial"]
    world.sign_in(page, "auditor")
    page.goto(f"/console/certificates/issuing-ca/{serial}")
    chain = page.locator(".chain li")
    expect(chain).to_have_count(3)
    expect(chain.nth(1).get_by_role("link")).to_have_attribute(
        "href", "/console/authorities/issuing-ca"
    )
    expect(page.locator(".happened")).to_contain_text("Request submitted")
    expect(page.locator(".logged")).to_contain_text("proved with", timeout=15_000)
    for label in ("Serial number", "SHA-256 of the certificate", "SHA-256 of the key"):
        expect(page.locator(".aside")).to_contain_text(label)
    expect(page.get_by_role("link", name="Revoke")).to_have_count(0)
    check_accessibility(page)


@pytest.mark.parametrize("form", ["pem", "chain", "der", "p7"])
def test_every_form_is_there(world: World, page: Page, form: str) -> None:
    world.sign_in(page, "requester")
    page.goto(f"/console/certificates/issuing-ca/{world.made['issued-serial']}")
    page.locator("summary", has_text="Download").click()
    with page.expect_download() as loading:
        page.locator(f"a[href$='format={form}']").click()
    path = loading.value.path()
    assert path.stat().st_size > 300
    assert (b"-----BEGIN" in path.read_bytes()) is (form in ("pem", "chain"))


def test_held_released_and_revoked(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    serial = issued(world, "going.example.org")
    address = f"/console/certificates/issuing-ca/{serial}"
    world.sign_in(page, "officer1")
    page.goto(address)
    page.get_by_role("button", name="Put on hold").click()
    page.locator("dialog[open]").get_by_role("button", name="Put on hold").click()
    expect(page.locator(".aside .state").first).to_have_text("On hold")
    page.get_by_role("button", name="Release").click()
    page.locator("dialog[open]").get_by_role("button", name="Release").click()
    expect(page.locator(".aside .state").first).to_have_text("Valid")
    page.get_by_role("link", name="Revoke").click()
    check_accessibility(page)
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("alert")).to_contain_text("a reason is missing")
    page.get_by_label("Key compromised").check()
    page.get_by_label("Not to be trusted since").fill("2100-01-01")
    page.get_by_label("Comment").fill("found on a mailing list")
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("alert")).to_contain_text("the invalidity date lies in the future")
    expect(page.get_by_label("Comment")).to_have_value("found on a mailing list")
    page.get_by_label("Not to be trusted since").fill("2026-01-01")
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.locator(".aside")).to_contain_text("Key compromised")
    expect(page.locator(".aside")).to_contain_text("2026-01-01")
    expect(page.locator(".happened")).to_contain_text("found on a mailing list")
    expect(page.get_by_role("link", name="Revoke")).to_have_count(0)
    page.goto(f"{address}/revoke")
    expect(page.get_by_role("heading", level=1)).to_have_text("It is revoked already")


def test_a_requester_revokes_their_own(world: World, page: Page) -> None:
    serial = issued(world, "mine.example.org")
    world.sign_in(page, "requester")
    page.goto(f"/console/certificates/issuing-ca/{serial}")
    page.get_by_role("link", name="Revoke").click()
    page.get_by_label("No longer needed").check()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.locator(".aside .state").first).to_have_text("Revoked")


def test_all_that_a_search_finds(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    for n in range(3):
        issued(world, f"fleet{n}.example.org")
    world.sign_in(page, "officer1")
    page.goto("/console/certificates?search=fleet&ends=later")
    page.get_by_role("link", name="Revoke all that this search finds").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke 3 certificates")
    check_accessibility(page)
    page.get_by_label("No longer needed").check()
    page.get_by_label("Type 3 to confirm").fill("2")
    page.get_by_role("button", name="Revoke 3 certificates").click()
    expect(page.get_by_role("alert")).to_contain_text("there are 3 certificates")
    page.get_by_label("Type 3 to confirm").fill("3")
    page.get_by_role("button", name="Revoke 3 certificates").click()
    expect(page).to_have_url(re.compile("/console/operations/"))
    expect(page.locator("#progress .state").first).to_have_text("Done", timeout=20_000)
    page.goto("/console/certificates?search=fleet&status=revoked")
    expect(page.locator("tbody tr")).to_have_count(3)


def test_renewed_with_the_same_key_and_another(
    world: World, page: Page, tmp_path: Path, check_accessibility
) -> None:  # type: ignore[no-untyped-def]
    serial = issued(world, "again.example.org", "--days", "20")
    world.sign_in(page, "requester")
    page.goto(f"/console/certificates/issuing-ca/{serial}")
    expect(page.locator(".aside .state").first).to_have_text("Valid")
    page.get_by_role("link", name="Renew").click()
    check_accessibility(page)
    page.get_by_label("A new key of mine").check()
    page.get_by_role("button", name="Ask for the renewal").click()
    expect(page.get_by_role("alert")).to_contain_text("the CSR is missing")
    page.get_by_label("Certification request").fill(p256_csr("other.example.org"))
    page.get_by_role("button", name="Ask for the renewal").click()
    expect(page.get_by_role("alert")).to_contain_text("differ")
    page.get_by_label("Certification request").fill(p256_csr("again.example.org"))
    page.get_by_role("button", name="Ask for the renewal").click()
    expect(page.locator(".notice-success")).to_contain_text("waits for approval")
    expect(page.locator(".aside")).to_contain_text("Renew new key")
    page.goto(f"/console/certificates/issuing-ca/{serial}")
    expect(page.get_by_role("link", name="Renew")).to_have_count(0)
    expect(page.locator(".aside")).to_contain_text("It has been renewed already")
