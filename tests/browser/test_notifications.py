"""Notifications on screen: a channel tried, a message that failed and was sent again, words edited."""

import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from listening import party
from playwright.sync_api import Page, Playwright, expect

from browser.world import NewPage, Seen, World, served
from services.csr import p256_csr
from services.mailbox import Mailbox

SETTINGS = """
[mail]
host = "localhost"
port = {port}
ca_file = "{ca}"
sender = "ca@example.org"

[[webhooks]]
name = "crm"
url = "https://hooks.invalid/chancery"
secret_file = "{secret}"
events = ["certificate.issued"]
"""


@dataclass
class Post:
    world: World
    mail: Mailbox


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[Post]:
    """An instance that sends mail, and the server it sends it to."""
    folder = tmp_path_factory.mktemp("post")
    root = party("root", ca=True)
    (folder / "root.pem").write_bytes(root.pem())
    (folder / "secret").write_text("whsec_" + "c2VjcmV0" * 4)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*party("localhost", root).write(folder, "mail"))
    mail = Mailbox(context).start()
    settings = SETTINGS.format(port=mail.port, ca=folder / "root.pem", secret=folder / "secret")
    with served(folder / "instance", playwright, settings, bare=True) as world:
        for name in ("admin", "officer1"):
            address = f"{name}@example.org"
            done = world.instance.run("user", "edit", name, "--email", address, user="admin")
            assert done.returncode == 0, done.stderr
        yield Post(world, mail)
    mail.stop()


@pytest.fixture
def page(post: Post, seen: Seen) -> Iterator[Page]:
    post.mail.got.clear()
    with post.world.context(seen) as context:
        yield context.new_page()


def test_a_channel_is_tried(
    post: Post, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    post.world.sign_in(page, "admin")
    page.get_by_role("link", name="Notifications").click()
    expect(page.get_by_label("Send a test to")).to_have_value("admin@example.org")
    check_accessibility(page)
    page.get_by_role("button", name="Send a test").first.click()
    expect(page.locator("#standing .state")).to_have_text("Sent")  # it follows by itself
    (mail,) = post.mail.wait(1)
    assert mail["to"] == "admin@example.org"
    assert (
        page.get_by_label("Text of the message", exact=True)
        .inner_text()
        .startswith("admin asked for this")
    )
    check_accessibility(page)


def test_a_message_that_was_refused_is_sent_again(
    post: Post, page: Page, check_accessibility: Callable[[Page], None]
) -> None:
    post.mail.answers.append("550 no such mailbox")
    post.world.sign_in(page, "admin")
    page.goto("/console/notifications")
    page.get_by_label("Send a test to").fill("nobody@example.org")
    page.get_by_role("button", name="Send a test").first.click()
    expect(page.locator("#standing .state")).to_have_text("Failed")
    expect(page.get_by_text("550 no such mailbox")).to_be_visible()
    page.goto("/console")
    page.get_by_role("link", name=re.compile("Notifications that did not arrive")).click()
    check_accessibility(page)
    page.get_by_role("link", name="A test from Chancery").first.click()
    page.get_by_role("button", name="Send now").click()
    expect(page.locator("#standing .state")).to_have_text("Sent")
    assert post.mail.wait(1)[0]["to"] == "nobody@example.org"


def test_words_are_edited_beside_a_preview(
    post: Post, page: Page, tmp_path: Path, check_accessibility: Callable[[Page], None]
) -> None:
    post.world.sign_in(page, "admin")
    page.goto("/console/notifications/templates")
    check_accessibility(page)
    page.get_by_role("link", name="Request waiting").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Request waiting: CN=www.example.org")
    page.get_by_label("Subject").fill("Please decide: {{ request.subject }}")
    expect(preview).to_contain_text("Please decide: CN=www.example.org")
    page.get_by_label("Text").first.fill("{{ request.nothing }}")
    expect(preview).to_contain_text("nothing")
    expect(preview.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Save").click()  # refused, and nothing typed is lost
    expect(page.locator("#text-error")).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value("Please decide: {{ request.subject }}")
    check_accessibility(page)
    page.get_by_label("Text").first.fill("It is about {{ request.names | join(', ') }}.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Version 1 is in force.")).to_be_visible()

    csr = tmp_path / "a.csr"
    csr.write_text(p256_csr("a.example.org"))
    post.world.instance.json(
        "request", "submit", str(csr), "--profile", "tls-server", "--ra", "main", user="requester"
    )
    (mail,) = post.mail.wait(1)
    assert mail["subject"] == "Please decide: CN=a.example.org"
    post.mail.got.clear()

    page.get_by_role("button", name="Use the shipped words").click()
    page.get_by_role("dialog").get_by_role("button", name="Use the shipped words").click()
    expect(page.get_by_text("The shipped words are in force again.")).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value(re.compile("^Request waiting"))


def test_the_preview_works_without_scripts(post: Post) -> None:
    context = post.world.browser.new_context(base_url=post.world.url, java_script_enabled=False)
    page = context.new_page()
    post.world.sign_in(page, "admin")
    page.goto("/console/notifications/templates/test")
    page.get_by_label("Subject").fill("Hello from {{ by }}")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("Hello from ada")
    context.close()


def test_somebody_does_not_want_mail(
    post: Post, page: Page, tmp_path: Path, check_accessibility: Callable[[Page], None]
) -> None:
    post.world.sign_in(page, "officer1")
    page.goto("/console/account/notifications")
    check_accessibility(page)
    page.get_by_label("Request waiting").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Request waiting")).not_to_be_checked()
    expect(page.get_by_label("CRL late")).to_be_checked()
    csr = tmp_path / "b.csr"
    csr.write_text(p256_csr("b.example.org"))
    done = post.world.instance.json(
        "request", "submit", str(csr), "--profile", "tls-server", "--ra", "main", user="requester"
    )
    found = post.world.instance.json("notification", "list", "--about", done["id"], user="auditor")
    assert found == []
    page.get_by_label("Request waiting").check()
    page.get_by_role("button", name="Save").click()


def test_an_auditor_looks_and_changes_nothing(post: Post, new_page: NewPage, seen: Seen) -> None:
    with post.world.context(seen) as context:
        page = context.new_page()
        post.world.sign_in(page, "auditor")
        page.goto("/console/notifications")
        expect(page.get_by_role("heading", name="Mail")).to_be_visible()
        expect(page.get_by_role("button", name="Send a test")).to_have_count(0)
        page.goto("/console/notifications/templates/test")
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
