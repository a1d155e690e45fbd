"""An office that asks for proof of work, and has little patience."""

import hashlib
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.world import World
from services.csr import p256_csr
from services.instance import Instance

BITS = 12
SETTINGS = f"""
[portal]
proof_of_work = {BITS}
codes = {{ burst = 2, per_hour = 60 }}
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    made = Instance.create(tmp_path_factory.mktemp("strict") / "instance")
    config = made.directory / "chancery.toml"
    config.write_text(config.read_text() + SETTINGS + "\n")
    text = re.sub(r"^workers = .*$", "workers = 1", config.read_text(), flags=re.MULTILINE)
    config.write_text(
        text if "workers = 1" in text else text.replace("[listen]", "[listen]\nworkers = 1")
    )
    with made.serving():
        yield made


@pytest.fixture
def visitor(world: World, strict: Instance) -> Iterator[Page]:
    context = world.browser.new_context(base_url=strict.facts["https"], ignore_https_errors=True)
    yield context.new_page()
    context.close()


def test_the_browser_does_the_work(visitor: Page) -> None:
    visitor.goto("/")
    visitor.fill("#csr", p256_csr("worked.example.org") + p256_csr("worked2.example.org"))
    visitor.get_by_role("button", name="Check it").click()
    visitor.wait_for_url("**/check")
    with visitor.expect_request("**/submit") as sent:
        visitor.locator("#send button[type=submit]").click()
    visitor.wait_for_url("**/submit")
    expect(visitor.get_by_label("Your code")).to_be_visible()
    found = re.search(r"stamp=([0-9A-Fa-z%]+)", sent.value.post_data or "")
    assert found is not None
    stamp = urllib.request.unquote(found[1])  # type: ignore[attr-defined]
    assert not int(hashlib.sha256(stamp.encode()).hexdigest(), 16) >> (256 - BITS)


def test_without_it_nothing_is_taken(strict: Instance, tmp_path: Path) -> None:
    csr = tmp_path / "lazy.csr"
    csr.write_text(p256_csr("lazy.example.org"))
    words = ("--profile", "tls-server", "--ra", "main", "--anonymous")
    done = strict.run("request", "submit", str(csr), *words)
    assert done.returncode == 5
    assert "portal.proof-of-work" in done.stderr
    assert strict.run("request", "submit", str(csr), *words[:-1], user="requester").returncode == 0


def test_whoever_guesses_codes_has_to_wait(visitor: Page, strict: Instance) -> None:
    for _ in range(2):
        visitor.goto("/status")
        visitor.fill("#code", "AAAA-AAAA-AAAA-AAAA")
        with visitor.expect_response("**/status") as answered:
            visitor.get_by_role("button", name="Open").click()
        assert answered.value.status == 404
    with visitor.expect_response("**/status") as answered:
        visitor.get_by_role("button", name="Open").click()
    assert answered.value.status == 429
    assert 0 < int(answered.value.headers["retry-after"]) <= 61
    expect(visitor.get_by_role("alert").first).to_contain_text("too many wrong codes")

    # The same counter stands before every door.
    trust = ssl.create_default_context(cafile=strict.facts["ca_bundle"])
    url = strict.facts["https"] + "/api/v1/requests/none?code=AAAA"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, context=trust, timeout=10)
    with refused.value as answer:
        assert answer.code == 429
        assert int(answer.headers["Retry-After"]) > 0
