"""What strangers see at a registration authority's own host while its centre is away."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.world import PHONE, NewPage, Seen, World, too_wide
from services.csr import p256_csr
from services.instance import CHANCERY, clean_environment, free_port

SETTINGS = """
name = "berlin"
ra = "main"
[listen]
http_port = {http}
https_port = {https}
[tls]
certificate = "server.pem"
key = "server.key"
[centre]
url = "https://127.0.0.1:{nobody}"
ca_bundle = "ca-bundle.pem"
certificate = "server.pem"
key = "server.key"
[queue]
directory = "queue"
"""


@pytest.fixture(scope="module")
def branch(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a host whose centre does not answer; it knows what that offers."""
    directory = tmp_path_factory.mktemp("branch")
    for name in ("server.pem", "server.key", "ca-bundle.pem"):
        shutil.copy(world.instance.directory / "tls" / name, directory)
    http, https = free_port(), free_port()
    (directory / "ra.toml").write_text(SETTINGS.format(http=http, https=https, nobody=free_port()))
    (directory / "queue").mkdir(mode=0o700)
    offers = [{"ra": "main", "profile": "tls-server", "description": "TLS servers"}]
    (directory / "queue/offers.json").write_text(json.dumps(offers))
    with served(directory, http):
        yield f"https://localhost:{https}"


class served:  # noqa: N801 - used like a function
    def __init__(self, directory: Path, port: int) -> None:
        self._log = (directory / "log").open("wb")
        self._process = subprocess.Popen(
            [CHANCERY, "serve", "--role", "ra", "--config", directory / "ra.toml"],
            stdout=self._log, stderr=self._log, env=clean_environment(),
        )  # fmt: skip
        self._url = f"http://127.0.0.1:{port}/healthz"

    def __enter__(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self._url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(Path(self._log.name).read_text())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()


def test_a_request_is_taken_in_and_found_again(
    branch: str, seen: Seen, new_page: NewPage, check_accessibility: Callable[[Page], None]
) -> None:
    page = new_page()
    page.goto(branch)
    expect(page.get_by_role("heading", level=1)).to_contain_text("away")
    check_accessibility(page)
    page.get_by_label("Certificate request", exact=True).fill(p256_csr("branch.example.org"))
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Taken in: 1 request")
    check_accessibility(page)
    page.get_by_role("link", name="Where it stands").click()
    expect(page.locator("main")).to_contain_text("1 request taken in")
    check_accessibility(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert too_wide(page) is None
    # The browser notes the 503 of a page that says that somebody is away.
    seen.complaints[:] = [one for one in seen.complaints if "status of 503" not in one]


def test_what_is_no_request_is_refused_at_once(branch: str, seen: Seen, new_page: NewPage) -> None:
    page = new_page(size=PHONE)
    page.goto(branch)
    box = page.get_by_label("Certificate request", exact=True)
    box.fill("-----BEGIN PRIVATE KEY-----")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("alert")).to_contain_text("It stays with you")
    box.fill("-----BEGIN NONSENSE-----")
    page.get_by_role("button", name="Send it").click()
    expect(page.locator("#csr.is-invalid")).to_have_value("-----BEGIN NONSENSE-----")
    assert too_wide(page) is None
    seen.complaints[:] = [one for one in seen.complaints if "status of 503" not in one]
