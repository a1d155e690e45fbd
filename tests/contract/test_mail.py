"""Mail, judged by a real SMTP server over TLS."""

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from listening import Party, party

from chancery.adapters.mail import SmtpAccount, SmtpMailer
from chancery.domain.errors import BadRequest, CAError, Unavailable
from chancery.domain.notification import Message
from services.mailbox import Mailbox

NOW = 1_790_000_000
MESSAGE = Message("Request waiting: Zoë", "Zeile\n\n.dot\n" + "x" * 2000, "<p>Zoë</p>")
Start = Callable[..., Mailbox]


@pytest.fixture(scope="module")
def root() -> Party:
    return party("root", ca=True)


@pytest.fixture
def ca_file(root: Party, tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(root.pem())
    return tmp_path / "ca.pem"


def context(made: Party, directory: Path) -> ssl.SSLContext:
    certificate, key = made.write(directory, "smtp")
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(certificate, key)
    return found


@pytest.fixture
def start(root: Party, tmp_path: Path) -> Iterator[Start]:
    boxes = []

    def started(made: Party | None = None, **options: object) -> Mailbox:
        tls = context(made or party("localhost", root), tmp_path)
        boxes.append(Mailbox(tls, **options).start())  # type: ignore[arg-type]
        return boxes[-1]

    yield started
    for box in boxes:
        box.stop()


def account(box: Mailbox, ca_file: Path, **changes: object) -> SmtpAccount:
    made = SmtpAccount(
        "localhost",
        box.port,
        "starttls",
        "ca@example.org",
        "Zoë's CA",
        ca_file=ca_file,
        timeout_s=5,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_message_arrives_as_it_was_written(start: Start, ca_file: Path) -> None:
    box = start()
    SmtpMailer(account(box, ca_file)).send("0190-1", "olga@example.org", MESSAGE, NOW)
    ((envelope, message),) = box.got
    assert (envelope.mail_from, envelope.rcpt_tos) == ("ca@example.org", ["olga@example.org"])
    assert message["message-id"] == "<0190-1@example.org>"
    assert message["from"] == "Zoë's CA <ca@example.org>"
    assert message["subject"] == "Request waiting: Zoë"
    assert message["date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert message["auto-submitted"] == "auto-generated"
    text, html = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert text.get_content().replace("\r\n", "\n") == MESSAGE.text + "\n"
    assert html.get_content().strip() == "<p>Zoë</p>"


@pytest.mark.parametrize(("security", "implicit"), [("starttls", False), ("tls", True)])
def test_it_signs_in_over_tls(
    start: Start, ca_file: Path, tmp_path: Path, security: str, implicit: bool
) -> None:
    box = start(implicit=implicit, user=("ca", "s3cret pass"))
    password = tmp_path / "password"
    password.write_text("s3cret pass\n")
    mailer = SmtpMailer(
        account(box, ca_file, security=security, username="ca", password_file=password)
    )
    mailer.check()
    mailer.send("1", "olga@example.org", MESSAGE, NOW)
    assert (box.signed_in, len(box.got)) == (2, 1)
    password.write_text("wrong")
    with pytest.raises(Unavailable, match="user name and password"):
        mailer.send("2", "olga@example.org", MESSAGE, NOW)


@pytest.mark.parametrize("implicit", [False, True])
def test_a_server_that_nobody_vouches_for_gets_nothing(
    start: Start, ca_file: Path, implicit: bool
) -> None:
    box = start(party("localhost", ca=True), implicit=implicit)
    security = "tls" if implicit else "starttls"
    with pytest.raises(Unavailable, match="not to be trusted"):
        SmtpMailer(account(box, ca_file, security=security)).send(
            "1", "o@example.org", MESSAGE, NOW
        )
    assert box.got == []


def test_a_server_under_another_name_gets_nothing(start: Start, ca_file: Path) -> None:
    box = start()
    with pytest.raises(Unavailable, match="not to be trusted"):
        SmtpMailer(account(box, ca_file, host="127.0.0.1")).check()


def test_a_server_without_tls_gets_nothing(ca_file: Path) -> None:
    box = Mailbox(None).start()
    try:
        with pytest.raises(Unavailable, match="STARTTLS"):
            SmtpMailer(account(box, ca_file)).send("1", "o@example.org", MESSAGE, NOW)
        SmtpMailer(account(box, ca_file, security="none")).send("1", "o@example.org", MESSAGE, NOW)
    finally:
        box.stop()
    assert len(box.got) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("450 later", Unavailable), ("550 no such user", BadRequest), ("452 full", Unavailable)],
)
def test_what_the_server_says_decides_whether_it_is_tried_again(
    start: Start, ca_file: Path, answer: str, kind: type[CAError]
) -> None:
    box = start()
    box.answers.append(answer)
    with pytest.raises(kind, match=answer):
        SmtpMailer(account(box, ca_file)).send("1", "olga@example.org", MESSAGE, NOW)


def test_an_absent_server_is_tried_again(start: Start, ca_file: Path) -> None:
    box = start()
    with socket.socket() as nobody:  # bound, but it does not listen
        nobody.bind(("127.0.0.1", 0))
        gone = account(box, ca_file, port=nobody.getsockname()[1], host="127.0.0.1")
    with pytest.raises(Unavailable):
        SmtpMailer(gone).send("1", "olga@example.org", MESSAGE, NOW)
    with pytest.raises(Unavailable, match="no such host"):
        SmtpMailer(replace(gone, host="mail.invalid")).check()


@pytest.mark.parametrize(
    "address",
    ["", "olga", "a@b\r\nBcc: eve@example.org", "a b@example.org", "<a@example.org>", "a@b, c@d",
     '"a\n"@example.org', "a@example.org\x00", "Zoë@example.org"],
)  # fmt: skip
def test_no_address_smuggles_in_a_header(start: Start, ca_file: Path, address: str) -> None:
    box = start()
    with pytest.raises(BadRequest):
        SmtpMailer(account(box, ca_file)).send("1", address, MESSAGE, NOW)
    assert box.got == []


def test_no_subject_smuggles_in_a_header(start: Start, ca_file: Path) -> None:
    box = start()
    evil = replace(MESSAGE, subject="Hi\r\nBcc: eve@example.org\r\n\r\nbody\x00\u2028x")
    SmtpMailer(account(box, ca_file)).send("1", "olga@example.org", evil, NOW)
    ((envelope, message),) = box.got
    assert envelope.rcpt_tos == ["olga@example.org"]
    assert message["bcc"] is None
    assert message["subject"] == "Hi Bcc: eve@example.org body x"
