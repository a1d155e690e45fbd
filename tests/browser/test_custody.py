"""Custodians on record, a set of shares, and a bundle that goes out."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.world import World
from chancery.domain.custody import Custodian, CustodyPurpose
from chancery.wire import custody


def test_who_is_needed_and_what_is_out(
    world: World, page: Page, tmp_path: Path, check_accessibility: Callable[[Page], None]
) -> None:
    world.sign_in(page, "operator")
    page.goto("/console/custody")
    expect(page.get_by_text("A key file, without anybody")).to_be_visible()
    check_accessibility(page)

    made, _ = custody.split(
        bytes(32),
        [Custodian("ada"), Custodian("eva"), Custodian("mary")],
        threshold=2,
        purpose=CustodyPurpose.OFFLINE_STORE,
        now=1_760_000_000,
    )
    document = tmp_path / "set.json"
    document.write_text(json.dumps(custody.to_document(made)))
    page.get_by_label("set.json").set_input_files(document)
    page.get_by_role("button", name="Put on record").last.click()
    expect(page.get_by_text(f"Set {made.id} is on record.")).to_be_visible()
    row = page.get_by_role("row", name="An offline CA")
    expect(row).to_contain_text("any 2 of them")
    expect(row).to_contain_text("ada, eva, mary")

    done = world.instance.run(
        "ca", "create", "waits-for-root", "--container", "main",
        "--subject", "CN=Waits,O=E", "--external", user="operator",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page.goto("/console/custody")
    page.get_by_role("button", name="Make a bundle").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Bundle")
    expect(page.get_by_text("out to be signed")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("button", name="Withdraw").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The bundle is withdrawn")).to_be_visible()
    expect(page.get_by_role("table", name="Bundles")).to_contain_text("withdrawn")

    done = world.instance.run("ca", "delete", "waits-for-root", user="operator")
    assert done.returncode == 0, done.stderr

    answer = tmp_path / "answer.txt"
    answer.write_text("nothing\n\n— x AAAA\n")
    page.get_by_label("What the ceremony wrote").set_input_files(answer)
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_text(re.compile("this is no chancery-signing-answer"))).to_be_visible()
