"""Operations on screen: followed while they run, cancelled, and jobs that failed tried again."""

import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.world import World
from services.csr import p256_csr

DAY = 86_400


@pytest.fixture(scope="module")
def five(world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The beginning of the names of five certificates."""
    folder = tmp_path_factory.mktemp("five")
    world.instance.automatic_ra("robots")
    for number in range(5):
        csr = folder / f"{number}.csr"
        csr.write_text(p256_csr(f"five-{number}.example.org"))
        world.instance.json(
            "request",
            "submit",
            str(csr),
            "--profile",
            "tls-server",
            "--ra",
            "robots",
            user="requester",
        )
    return "CN=five-*"


def begin(world: World, subject: str) -> str:
    found = world.instance.json(
        "certificate", "revoke-matching", "--subject", subject, "--reason", "superseded",
        "--comment", "the hosts are gone", "--yes", "--no-wait", user="officer1",
    )  # fmt: skip
    return str(found["id"])


def test_an_operation_is_followed_to_its_end(
    world: World, page: Page, five: str, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "officer1")
    page.goto(f"/console/operations/{begin(world, five)}")
    expect(page.locator("#progress .state")).to_have_text("Done")  # without loading again
    expect(page.locator("#progress progress")).to_have_attribute("value", "5")
    expect(page.get_by_text("the hosts are gone")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("link", name="Operations").first.click()
    expect(page.get_by_role("link", name="Revoke 5 certificates").first).to_be_visible()
    check_accessibility(page)
    page.get_by_label("State").select_option("failed")
    expect(page.get_by_text("No operation is in this state")).to_be_visible()


def _database(world: World) -> sqlite3.Connection:
    return sqlite3.connect(world.instance.directory / "data" / "chancery.db", timeout=30)


def _waiting_operation(world: World, name: str) -> str:
    """One that nobody has begun: its job is not due yet."""
    now = int(time.time())
    with _database(world) as link:
        link.execute(
            "INSERT INTO operation (id, kind, state, started_by, principal, parameters, total, done,"
            " skipped, failed, position, created_at) VALUES"
            " (?, 'revoke', 'waiting', 'officer1', '{}', '{\"reason\": \"superseded\"}', 3, 0, 0, 0, '', ?)",
            (name, now),
        )
    return name


def test_one_is_cancelled(world: World, page: Page) -> None:
    name = _waiting_operation(world, "01900000-0000-7000-8000-000000000001")
    world.sign_in(page, "officer2")
    page.goto(f"/console/operations/{name}")
    page.get_by_role("button", name="Cancel", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the operation").click()
    expect(page.locator("#progress .state")).to_have_text("Cancelled")
    expect(page.get_by_text("Cancelled by")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


def test_a_failed_job_is_found_from_home_and_forgotten(
    world: World, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    with _database(world) as link:
        link.execute(
            "INSERT INTO job (id, kind, payload, due_at, attempts, created_at, error, failed_at)"
            " VALUES ('01900000-0000-7000-8000-000000000002', 'operation', 'revoke', NULL, 20, 1,"
            " 'the account is disabled', ?)",
            (int(time.time()) - 60,),
        )
    world.sign_in(page, "admin")
    page.goto("/console")
    page.get_by_role("link", name=re.compile("Background jobs that failed")).click()
    expect(page.get_by_text("the account is disabled")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("button", name="Forget").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_text("Forgotten.")).to_be_visible()
    page.goto("/console/operations/jobs?state=failed")
    expect(page.get_by_text("the account is disabled")).to_have_count(0)


def test_a_requester_sees_only_their_own(world: World, page: Page, tmp_path: Path) -> None:
    name = _waiting_operation(world, "01900000-0000-7000-8000-000000000003")
    world.sign_in(page, "requester")
    page.goto(f"/console/operations/{name}")
    expect(page.get_by_text("no operation")).to_be_visible()
    page.goto("/console/operations/jobs")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Jobs")
