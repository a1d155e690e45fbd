"""The whole road on screen: a stranger's CSR, two officers with second factors, openssl's verdict."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect

from browser.test_portal import openssl_request, shell, submitted
from browser.test_second_steps import PASSWORD, authenticator, enrol_app
from browser.world import NewPage, World, served
from services.rest import Rest


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[World]:
    """An instance where a password alone opens nothing."""
    settings = '\n[login]\nsecond_factor = "required"\n'
    directory = tmp_path_factory.mktemp("road") / "instance"
    with served(directory, playwright, settings, bare=True) as made:
        yield made


def officer(world: World, name: str) -> None:
    admin = Rest(world.instance, "admin")
    reply = admin("POST", "/users", {"name": name, "roles": ["ra-officer"], "password": PASSWORD})
    assert reply.status == 201, reply.body
    assert admin("PUT", f"/groups/officers/members/{name}").status in (200, 204)


def approve(page: Page, request_id: str) -> None:
    """From the work queue to a decision, as an officer does it."""
    page.goto("/console")
    page.get_by_role("link", name=re.compile("Decide what waits at main")).click()
    page.locator(f"a[href$='{request_id}']").first.click()
    expect(page.get_by_text("road.example.org").first).to_be_visible()
    page.get_by_role("button", name="Approve").first.click()


def test_from_a_strangers_csr_to_a_certificate_that_openssl_verifies(
    world: World, new_page: NewPage, tmp_path: Path
) -> None:
    csr = openssl_request(
        tmp_path, "-subj", "/CN=road.example.org", "-addext", "subjectAltName=DNS:road.example.org"
    )
    stranger = new_page()
    _, request_id = submitted(stranger, csr.read_text())

    officer(world, "tess")
    by_app = new_page()
    world.sign_in(by_app, "tess", PASSWORD)
    enrol_app(by_app)
    approve(by_app, request_id)
    expect(by_app.get_by_text("Pending").first).to_be_visible()

    officer(world, "pat")
    by_passkey = new_page()
    world.sign_in(by_passkey, "pat", PASSWORD)
    with authenticator(by_passkey):
        by_passkey.get_by_label("Name of the passkey").fill("Laptop")
        by_passkey.get_by_role("button", name="Passkey or security key").click()
        by_passkey.get_by_role("button", name="I have kept them").click()
        approve(by_passkey, request_id)
        expect(by_passkey.get_by_text("Issued").first).to_be_visible()

    stranger.reload()
    for form, name in (("PEM", "leaf"), ("With chain", "chain")):
        with stranger.expect_download() as download:
            stranger.locator("#standing .downloads").get_by_role("link", name=form).first.click()
        download.value.save_as(tmp_path / name)
    stranger.goto("/authorities")
    with stranger.expect_download() as download:
        stranger.get_by_role("link", name="PEM", exact=True).first.click()
    download.value.save_as(tmp_path / "roots.pem")
    judged = shell("openssl verify -CAfile roots.pem -untrusted chain leaf", tmp_path)
    assert judged == "leaf: OK\n"
    public = shell("openssl x509 -in leaf -noout -pubkey", tmp_path)
    assert public == shell("openssl pkey -in own.key -pubout", tmp_path)
