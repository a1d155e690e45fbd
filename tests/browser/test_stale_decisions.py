"""A decision of somebody who was away waits for a fresh proof, and then counts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Playwright, expect

from browser.world import World, served
from services.csr import p256_csr

FRESH_S = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[World]:
    """An instance where a proof is stale after moments."""
    settings = f'\n[login]\nstep_up_for = "PT{FRESH_S}S"\n'
    directory = tmp_path_factory.mktemp("away") / "instance"
    with served(directory, playwright, settings, bare=True) as made:
        yield made


def prove(world: World, page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    page.get_by_label("Password").fill(world.password("officer1"))
    page.get_by_role("button", name="Confirm").click()


def test_an_approval_a_revocation_and_a_bulk_decision(world: World, page: Page) -> None:
    requests = []
    for name in ("away.example.org", "gone.example.org"):
        csr = world.instance.directory.parent / f"{name}.csr"
        csr.write_text(p256_csr(name))
        submit = ("request", "submit", str(csr), "--profile", "tls-server", "--ra", "main")
        requests.append(world.instance.json(*submit, user="requester")["id"])
    world.instance.json("request", "approve", requests[0], user="officer2")
    world.sign_in(page, "officer1")

    page.goto(f"/console/requests/{requests[0]}")
    page.wait_for_timeout(1000 * (FRESH_S + 1))
    page.get_by_role("button", name="Approve").click()
    prove(world, page)
    expect(page.locator(".notice-success")).to_contain_text("the certificate is issued")

    page.get_by_role("link", name="The certificate").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_label("Superseded").check()
    page.get_by_label("Comment").fill("moved")
    page.wait_for_timeout(1000 * (FRESH_S + 1))
    page.get_by_role("button", name="Revoke for good").click()
    prove(world, page)
    expect(page.locator(".aside .state").first).to_have_text("Revoked")
    expect(page.locator(".happened")).to_contain_text("moved")

    page.goto(f"/console/requests/decide?id={requests[1]}")
    page.wait_for_timeout(1000 * (FRESH_S + 1))
    page.get_by_role("button", name="Approve the chosen").click()
    prove(world, page)
    expect(page.locator("#progress .state").first).to_have_text("Done", timeout=20_000)


def test_a_key_is_not_asked_for_twice(world: World, page: Page) -> None:
    """Who fetches a key proves it first: its passphrase never waits in a page."""
    made = world.instance.json(
        "request", "submit", "--server-key", "ec-p256", "--profile", "tls-server", "--ra", "main",
        "--name", "kept.example.org", user="requester",
    )  # fmt: skip
    for officer in ("officer1", "officer2"):
        world.instance.json("request", "approve", made["id"], user=officer)
    world.sign_in(page, "requester")
    page.wait_for_timeout(1000 * (FRESH_S + 1))
    page.goto(f"/console/requests/{made['id']}/key")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    page.get_by_label("Password").fill(world.password("requester"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fetch the key")
