"""Webhooks, judged by a receiver that follows the specification's text."""

import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from listening import Party, party

from chancery.adapters import webhook
from chancery.adapters.addresses import is_public
from chancery.adapters.webhook import Endpoint, WebhookSender
from chancery.domain.errors import BadRequest, Unavailable
from services.receiver import Receiver

NOW = 1_790_000_000
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
BODY = json.dumps({"type": "test", "data": {}}).encode()


@pytest.fixture(scope="module")
def root() -> Party:
    return party("root", ca=True)


@pytest.fixture
def receiver(root: Party, tmp_path: Path) -> Iterator[Receiver]:
    certificate, key = party("localhost", root).write(tmp_path, "hook")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    started = Receiver(context).start()
    yield started
    started.stop()


@pytest.fixture
def endpoint(receiver: Receiver, root: Party, tmp_path: Path) -> Endpoint:
    (tmp_path / "ca.pem").write_bytes(root.pem())
    (tmp_path / "secret").write_text(SECRET + "\n")
    return Endpoint(
        "ops",
        receiver.url,
        tmp_path / "secret",
        tmp_path / "ca.pem",
        private_addresses=True,
        timeout_s=5,
    )


def send(endpoint: Endpoint, body: bytes = BODY) -> None:
    WebhookSender([endpoint]).send("ops", "msg-1", body, NOW)


def test_the_receiver_can_check_what_it_got(receiver: Receiver, endpoint: Endpoint) -> None:
    send(endpoint)
    (got,) = receiver.got
    assert got.path == "/hook?from=chancery"
    assert got.body == BODY
    assert got.headers["content-type"] == "application/json"
    # Standard Webhooks 1.0.0, "Verifying": msg_id.timestamp.payload
    signed = b"msg-1." + str(NOW).encode() + b"." + BODY
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-id"] == "msg-1"
    assert got.headers["webhook-timestamp"] == str(NOW)
    assert got.headers["webhook-signature"] == f"v1,{expected}"


def test_the_vector_of_the_specification() -> None:
    """From its reference libraries: libraries/python/tests, ``test_sign_function``."""
    (secret,) = webhook.read_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = webhook.signature(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_while_one_is_replaced(receiver: Receiver, endpoint: Endpoint) -> None:
    second = "whsec_" + base64.b64encode(b"x" * 32).decode()
    endpoint.secret_file.write_text(f"{second}\n{SECRET}\n")
    send(endpoint)
    assert len(receiver.got[0].headers["webhook-signature"].split()) == 2


@pytest.mark.parametrize("text", ["", "whsec_!!", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_bad_secret_sends_nothing(receiver: Receiver, endpoint: Endpoint, text: str) -> None:
    endpoint.secret_file.write_text(text)
    with pytest.raises(Unavailable, match="secret of ops"):
        send(endpoint)
    assert receiver.got == []


@pytest.mark.parametrize("status", [301, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, endpoint: Endpoint, status: int) -> None:
    receiver.location = receiver.url
    receiver.statuses.append(status)
    with pytest.raises(Unavailable, match=f"answered {status}"):
        send(endpoint)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_failures_are_tried_again(receiver: Receiver, endpoint: Endpoint, status: int) -> None:
    receiver.statuses.append(status)
    with pytest.raises(Unavailable):
        send(endpoint)


def test_gone_is_gone(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.statuses.append(410)
    with pytest.raises(BadRequest):
        send(endpoint)
    with pytest.raises(BadRequest, match="no webhook"):
        WebhookSender([]).send("ops", "1", BODY, NOW)


def test_a_private_address_is_refused_before_anything_is_sent(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    with pytest.raises(Unavailable, match="not a public address"):
        send(replace(endpoint, private_addresses=False))
    assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_an_unknown_certificate_gets_nothing(
    receiver: Receiver, endpoint: Endpoint, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(party("other", ca=True).pem())
    with pytest.raises(Unavailable, match="not to be trusted"):
        send(replace(endpoint, ca_file=other))
    with pytest.raises(Unavailable, match="not to be trusted"):
        send(replace(endpoint, url=receiver.url.replace("localhost", "127.0.0.1")))
    assert receiver.got == []


def test_silence_ends(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.silent = True
    started = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        send(replace(endpoint, timeout_s=0.3))
    assert time.monotonic() - started < 3
