"""Somebody brings the certificates they have: files, a preview, progress, what became of each."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Page, expect

from browser.world import World
from services.openssl_ca import OpensslCa


@pytest.fixture
def old(tmp_path: Path) -> OpensslCa:
    ca = OpensslCa.create(tmp_path / "old", f"/O=Old/CN=Old {tmp_path.name}")
    ca.issue("kept.example.org")
    ca.revoke(ca.issue("gone.example.org"), "-crl_reason", "superseded")
    return ca


def brought(page: Page, *paths: Path) -> None:
    page.goto("/console/imports/new")
    page.get_by_label("Files", exact=True).set_input_files(list(paths))
    page.get_by_role("button", name="Show me what is in them").click()


def test_an_estate_of_openssl(
    world: World, page: Page, old: OpensslCa, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/imports")
    page.get_by_role("link", name="New import").first.click()
    check_accessibility(page)
    files = [old.directory / "index.txt", *sorted((old.directory / "newcerts").iterdir())]
    brought(page, *files)
    expect(page.get_by_role("table")).to_contain_text("CN=gone.example.org")
    expect(page.get_by_role("row", name="gone.example.org")).to_contain_text("Revoked")
    check_accessibility(page)
    page.get_by_role("button", name="Import 2 certificates").click()
    expect(page.get_by_role("status").filter(has_text="Imported.")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("link", name="CN=kept.example.org").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("kept.example.org")

    brought(page, *files)
    expect(page.get_by_text("There is nothing to import.")).to_be_visible()
    page.get_by_role("button", name="Discard").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_text("The preview is gone")).to_be_visible()


def many(path: Path, count: int) -> Path:
    """So many self-signed certificates in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    begins = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with path.open("wb") as file:
        for number in range(count):
            name = x509.Name(
                [x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{path.parent.name}-{number}")]
            )
            made = (
                x509.CertificateBuilder(name, name, key.public_key(), number + 1)
                .not_valid_before(begins)
                .not_valid_after(begins + dt.timedelta(days=30))
                .sign(key, hashes.SHA256())
            )
            file.write(made.public_bytes(Encoding.PEM))
    return path


def test_a_large_file_shows_how_far_it_is(world: World, page: Page, tmp_path: Path) -> None:
    world.sign_in(page, "operator")
    brought(page, many(tmp_path / "many.pem", 1_200))
    page.get_by_role("button", name="Import 1,200 certificates").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Imported.")).to_be_visible(timeout=60_000)
    expect(page.locator(".stat").filter(has_text="Imported")).to_contain_text("1,200")
    page.get_by_role("link", name="More").click()
    expect(page.get_by_role("row", name=f"{tmp_path.name}-50", exact=False).first).to_be_visible()


def test_what_is_wrong_stands_beside_it(world: World, page: Page, tmp_path: Path) -> None:
    world.sign_in(page, "operator")
    path = tmp_path / "list.csv"
    path.write_text("a,b\n1,2\n")
    brought(page, path)
    expect(page.locator("#columns-error")).to_contain_text("no column holds certificates")
    page.get_by_label("Columns of a CSV").fill("serial = a")
    page.get_by_role("button", name="Show me what is in them").click()
    expect(page.locator("#files-error")).to_contain_text("no file was chosen")


def test_a_problem_has_its_line(world: World, page: Page) -> None:
    world.sign_in(page, "operator")
    page.goto(f"/console/imports/{world.made['import']}")
    page.get_by_role("link", name="Problem").click()
    row = page.get_by_role("row", name="line 5")
    expect(row).to_contain_text("a date 'soon' that cannot be read")
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(1)


def test_imports_are_for_operators(world: World, page: Page) -> None:
    world.sign_in(page, "officer1")
    page.goto("/console/imports")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Imports")
