"""Requests, as people ask for and decide about them."""

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.world import PHONE, NewPage, World
from services.csr import p256_csr


def waiting(world: World, name: str, *words: str) -> str:
    """Have *name* asked for by the requester; the id of the request."""
    csr = world.instance.directory.parent / f"{name}.csr"
    csr.write_text(p256_csr(name))
    done = world.instance.json(
        "request",
        "submit",
        str(csr),
        "--profile",
        "tls-server",
        "--ra",
        "main",
        *words,
        user="requester",
    )
    return str(done["id"])


def test_two_officers_approve_and_it_is_issued(
    world: World, new_page: NewPage, tmp_path: Path, check_accessibility
) -> None:  # type: ignore[no-untyped-def]
    waiting(world, "road.example.org")
    for officer, said in (("officer1", "Others must still approve"), ("officer2", "is issued")):
        page = new_page()
        world.sign_in(page, officer)
        page.goto("/console/requests")
        page.get_by_role("link", name="road.example.org").click()
        expect(page.locator("#findings")).to_contain_text("pkilint")
        page.get_by_role("button", name="Approve").click()
        expect(page.locator(".notice-success")).to_contain_text(said)
    check_accessibility(page)
    page.get_by_role("link", name="The certificate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("road.example.org")
    page.locator("summary", has_text="Download").click()
    with page.expect_download() as loading:
        page.get_by_role("link", name="PEM with chain").click()
    chain = tmp_path / "chain.pem"
    loading.value.save_as(chain)
    bundle = world.instance.facts["ca_bundle"]
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", bundle, "-untrusted", chain, chain],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_keyboard_alone_approves(world: World, page: Page) -> None:
    request = waiting(world, "keys.example.org")
    page.goto(f"/console/requests/{request}")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("officer1")
    page.keyboard.press("Tab")
    page.keyboard.type(world.password("officer1"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("keys.example.org")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to the content
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip() == "Approve":
            break
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".notice-success")).to_contain_text("Others must still approve")
    expect(page.locator(".people")).to_contain_text("officer1 approved")
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.locator("#approve-why")).to_contain_text("you approved this content already")


def test_what_changed_since_is_not_approved(world: World, page: Page) -> None:
    request = waiting(world, "moved.example.org")
    world.sign_in(page, "officer1")
    page.goto(f"/console/requests/{request}")
    world.instance.json("request", "edit", request, "--days", "20", user="requester")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("the request changed after you looked at it")
    expect(page.locator(".compare")).to_contain_text("20 days")  # and here is what it is now
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".notice-success")).to_be_visible()


def test_asked_and_signed_side_by_side(world: World, page: Page, tmp_path: Path) -> None:
    csr = tmp_path / "greedy.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "/dev/null", "-subj", "/O=Example/CN=greedy.example.org", "-out", csr,
         "-addext", "subjectAltName=DNS:greedy.example.org", "-addext", "basicConstraints=CA:TRUE",
         "-addext", "extendedKeyUsage=serverAuth,codeSigning", "-addext", "1.2.3.4=DER:0500"],
        check=True, capture_output=True,
    )  # fmt: skip
    submit = ("request", "submit", str(csr), "--profile", "tls-server", "--ra", "main")
    request = world.instance.json(*submit, user="requester")["id"]
    world.sign_in(page, "officer1")
    page.goto(f"/console/requests/{request}")
    row = page.locator(".compare tr", has_text="Basic constraints")
    expect(row).to_contain_text("not a CA")
    expect(row).to_contain_text("changed")
    row = page.locator(".compare tr", has_text="1.2.3.4")
    expect(row).to_contain_text("DER 05:00")
    expect(row).to_contain_text("the profile does not take it")
    expect(page.locator(".compare tr", has_text="CRL distribution points")).to_contain_text("added")
    expect(page.locator(".compare tr", has_text="Organisation")).to_contain_text("as asked")


def test_denied_with_a_reason_that_the_requester_reads(world: World, new_page: NewPage) -> None:
    request = waiting(world, "refused.example.org")
    page = new_page()
    world.sign_in(page, "officer1")
    page.goto(f"/console/requests/{request}")
    page.get_by_role("button", name="Deny").click()
    page.get_by_label("Reason").fill("no such host")
    page.locator("dialog").get_by_role("button", name="Deny").click()
    expect(page.locator(".notice-success")).to_contain_text("Denied")
    mine = new_page()
    world.sign_in(mine, "requester")
    mine.goto(f"/console/requests/{request}")
    expect(mine.locator(".aside")).to_contain_text("no such host")
    mine.get_by_role("button", name="Delete").click()
    mine.locator("dialog").get_by_role("button", name="Delete").click()
    expect(mine.locator(".notice-success")).to_contain_text("deleted")


def test_nobody_approves_their_own(world: World, page: Page) -> None:
    csr = world.instance.directory.parent / "own.csr"
    csr.write_text(p256_csr("own.example.org"))
    submit = ("request", "submit", str(csr), "--profile", "tls-server", "--ra", "main")
    request = world.instance.json(*submit, user="officer1")["id"]
    world.sign_in(page, "officer1")
    page.goto(f"/console/requests/{request}")
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.locator("#approve-why")).to_contain_text("nobody approves their own request")


def test_comments_are_read_by_both(world: World, new_page: NewPage) -> None:
    request = waiting(world, "talk.example.org")
    for who, text in (("officer1", "Which team?"), ("requester", "The <b>web</b> team")):
        page = new_page()
        world.sign_in(page, who)
        page.goto(f"/console/requests/{request}")
        page.get_by_label("Add a comment").fill(text)
        page.get_by_role("button", name="Comment").click()
        expect(page.locator("#comments")).to_contain_text(text)
    expect(page.locator("#comments")).to_contain_text("Which team?")


def test_several_at_once(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    names = [f"several{n}.example.org" for n in range(3)]
    requests = [waiting(world, name) for name in names]
    world.sign_in(page, "officer1")
    page.goto("/console/requests?subject=CN%3Dseveral*")
    for name in names:
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Decide about the chosen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Decide about 3 requests")
    check_accessibility(page)
    world.instance.json("request", "edit", requests[0], "--days", "20", user="requester")
    page.get_by_label("Request several2.example.org").uncheck()
    page.get_by_role("button", name="Approve the chosen").click()
    expect(page).to_have_url(re.compile("/console/operations/"))
    expect(page.locator("#progress")).to_contain_text("Done", timeout=15_000)
    expect(page.locator("#progress")).to_contain_text("changed", timeout=15_000)
    given = {
        one: len(world.instance.json("request", "show", one, user="officer1")["approvals"])
        for one in requests
    }
    assert list(given.values()) == [0, 1, 0]


def test_denying_several_needs_a_reason(world: World, page: Page) -> None:
    request = waiting(world, "denied-many.example.org")
    world.sign_in(page, "officer1")
    page.goto(f"/console/requests/decide?id={request}")
    page.get_by_role("button", name="Deny the chosen").click()
    expect(page.get_by_role("alert")).to_contain_text("reason is missing")
    page.get_by_label("Reason").fill("not ours")
    page.get_by_role("button", name="Deny the chosen").click()
    expect(page).to_have_url(re.compile("/console/operations/"))


def test_issuing_by_hand_with_a_csr(
    world: World, page: Page, tmp_path: Path, check_accessibility
) -> None:  # type: ignore[no-untyped-def]
    csr = tmp_path / "hand.csr"
    csr.write_text(p256_csr("hand.example.org"))
    world.sign_in(page, "requester")
    page.goto("/console/requests/new")
    check_accessibility(page)
    page.get_by_role("link", name="tls-server TLS servers;").first.click()
    page.get_by_label("Certification request").fill("nonsense")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("listitem").first).to_be_visible()
    page.get_by_label("Certification request").fill("")
    page.get_by_label("Or its file").set_input_files(csr)
    expect(preview).to_contain_text("2 members of officers must approve it")
    page.get_by_label("Name 1", exact=True).fill("not a host!")
    expect(preview.get_by_role("alert")).to_contain_text("host name")
    check_accessibility(page)
    page.get_by_label("Name 1", exact=True).fill("more.example.org")
    expect(preview).to_contain_text("more.example.org")
    page.get_by_role("button", name="Another name").click()
    expect(page.get_by_label("Name 2", exact=True)).to_be_focused()
    expect(page.get_by_label("Certification request")).to_have_value(re.compile("BEGIN CERT"))
    page.get_by_label("Kind of name 2").select_option("ip")
    page.get_by_label("Name 2", exact=True).fill("192.0.2.9")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".notice-success")).to_contain_text("waits for approval")
    for text in ("more.example.org", "192.0.2.9", "typed beside the CSR"):
        expect(page.locator(".compare")).to_contain_text(text)
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Name 1", exact=True)).to_have_value("more.example.org")
    page.get_by_role("button", name="Remove name 2").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".compare")).not_to_contain_text("192.0.2.9")
    page.get_by_role("button", name="Withdraw").click()
    page.locator("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.locator(".aside .state").first).to_have_text("Withdrawn")


def test_a_key_made_here_is_fetched_as_pkcs12(
    world: World, page: Page, tmp_path: Path, check_accessibility
) -> None:  # type: ignore[no-untyped-def]
    world.sign_in(page, "requester")
    page.goto("/console/requests/new?ra=main&profile=tls-server&way=key")
    page.get_by_label("Organisation").fill("Example")
    page.get_by_label("Name 1", exact=True).fill("made.example.org")
    expect(page.get_by_role("region", name="Preview")).to_contain_text("made.example.org")
    page.get_by_role("button", name="Submit").click()
    request = page.url.rpartition("/")[2]
    for officer in ("officer1", "officer2"):
        world.instance.json("request", "approve", request, user=officer)
    page.goto(f"/console/requests/{request}")
    page.get_by_role("link", name="Fetch the key").click()
    check_accessibility(page)
    page.get_by_label("Passphrase").fill("several random words")
    page.get_by_label("The same again").fill("several other words")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    for label in ("Passphrase", "The same again"):
        page.get_by_label(label).fill("several random words")
    with page.expect_download() as loading:
        page.get_by_role("button", name="Download").click()
    file = tmp_path / "made.p12"
    loading.value.save_as(file)
    done = subprocess.run(
        ["openssl", "pkcs12", "-in", file, "-passin", "pass:several random words", "-nodes"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "PRIVATE KEY" in done.stdout, done.stderr


def test_searches_are_kept(world: World, page: Page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    world.sign_in(page, "officer1")
    page.goto("/console/requests?state=denied&profile=tls-server")
    page.locator("summary", has_text="Keep this search").click()
    page.get_by_label("Name", exact=True).fill("Denied servers")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.goto("/console/requests")
    page.get_by_role("link", name="Denied servers").click()
    expect(page.locator("#filter-state")).to_have_value("denied")
    check_accessibility(page)
    page.get_by_role("button", name="Forget Denied servers").click()
    expect(page.get_by_role("link", name="Denied servers")).to_have_count(0)


def test_without_scripts(world: World, tmp_path: Path) -> None:
    """Names in rows, preview, submission and approval work by forms alone."""
    csr = tmp_path / "plain.csr"
    csr.write_text(p256_csr("plain.example.org"))
    context = world.browser.new_context(base_url=world.url, java_script_enabled=False)
    page = context.new_page()
    world.sign_in(page, "requester")
    page.goto("/console/requests/new?ra=main&profile=tls-server")
    page.get_by_label("Or its file").set_input_files(csr)
    page.get_by_role("button", name="Another name").click()
    page.get_by_label("Name 2", exact=True).fill("too.example.org")
    page.get_by_role("button", name="Preview").last.click()
    expect(page.get_by_role("region", name="Preview")).to_contain_text("too.example.org")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".compare")).to_contain_text("too.example.org")
    request = page.url
    context.close()
    context = world.browser.new_context(base_url=world.url, java_script_enabled=False)
    page = context.new_page()
    world.sign_in(page, "officer2")
    page.goto(request)
    page.get_by_role("link", name="Ask the full linter").click()
    expect(page.locator("#findings")).to_contain_text("pkilint")
    page.goto(request)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".notice-success")).to_contain_text("Others must still approve")
    context.close()


@pytest.mark.parametrize("address", ["/console/requests", "/console/certificates"])
def test_on_a_phone(world: World, new_page: NewPage, check_accessibility, address: str) -> None:  # type: ignore[no-untyped-def]
    page = new_page(size=PHONE)
    world.sign_in(page, "officer1")
    page.goto(f"{address}?state=any")
    check_accessibility(page)
    page.locator("table a").first.click()
    check_accessibility(page)
