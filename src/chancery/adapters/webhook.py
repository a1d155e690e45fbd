"""Webhooks by the Standard Webhooks specification: signed JSON, over TLS, to public addresses only.

https://github.com/standard-webhooks/standard-webhooks, version 1.0.0: the headers
``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from chancery import __version__
from chancery.adapters.addresses import is_public
from chancery.domain.errors import BadRequest, Unavailable

_PREFIX: Final = "whsec_"
_MIN_SECRET: Final = 24  # octets; the specification asks for 24 to 64
_MAX_SECRET: Final = 64
_MAX_ANSWER: Final = 64 * 1024  # octets of an answer that are read
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One receiver.  *secret_file* holds ``whsec_...``, one a line: all sign while one is replaced.

    *private_addresses*: it may live in a network that is not the public one.
    """

    name: str
    url: str
    secret_file: Path
    ca_file: Path | None = None
    private_addresses: bool = False
    timeout_s: float = 10.0


class WebhookSender:
    """``ports_work.Hooks``."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}

    def send(self, name: str, delivery_id: str, body: bytes, now: int) -> None:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise BadRequest(
                f"there is no webhook {name!r} any more",
                field="channel",
                rule="webhook.known",
                remedy="discard the message, or put the webhook back into chancery.toml",
            )
        status, _ = post(endpoint, delivery_id, body, now)
        if 200 <= status < 300:
            return
        if status == _GONE:  # the specification: it wants to hear no more
            raise BadRequest(
                f"{name} answered 410: it is gone", field="channel", rule="webhook.gone"
            )
        raise _away(f"{name} answered {status}")


def post(endpoint: Endpoint, delivery_id: str, body: bytes, now: int) -> tuple[int, bytes]:
    """Send it, signed; return the status and the beginning of the answer."""
    headers = {
        "content-type": "application/json",
        "user-agent": f"Chancery/{__version__}",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(
            signature(secret, delivery_id, now, body) for secret in _secrets(endpoint)
        ),
    }
    return _post(endpoint, headers, body)


def signature(secret: bytes, delivery_id: str, timestamp: int, body: bytes) -> str:
    """``v1,`` and the base64 of an HMAC-SHA-256 over id, time and body."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def read_secrets(text: str) -> list[bytes]:
    """The secrets of a file, the newest first; ValueError for one that is none."""
    secrets = []
    for line in text.split():
        try:
            secret = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError("a secret is whsec_ and base64") from None
        if not _MIN_SECRET <= len(secret) <= _MAX_SECRET:
            raise ValueError(f"a secret has {_MIN_SECRET} to {_MAX_SECRET} octets")
        secrets.append(secret)
    if not secrets:
        raise ValueError("no secret in it")
    return secrets


def _secrets(endpoint: Endpoint) -> list[bytes]:
    try:
        return read_secrets(endpoint.secret_file.read_text())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _away(f"the secret of {endpoint.name} cannot be read: {reason}") from error


class _Pinned(http.client.HTTPSConnection):
    """Connects to addresses that were looked at, under the name they were looked up by.

    Whoever resolves the name again in between could be sent elsewhere.
    """

    def __init__(self, addresses: Sequence[str], endpoint: Endpoint, host: str, port: int) -> None:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        super().__init__(host, port, timeout=endpoint.timeout_s, context=context)
        self._addresses = addresses
        self._tls = context

    def connect(self) -> None:
        raw = self._reach()
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = self._tls.wrap_socket(
                raw, server_hostname=self.host, do_handshake_on_connect=False
            )
        except BaseException:
            raw.close()
            raise
        self.sock.do_handshake()

    def _reach(self) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self.port), self.timeout)
        return socket.create_connection((last, self.port), self.timeout)


def _post(endpoint: Endpoint, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Send it and return status and answer; redirects are not followed, a proxy is not asked."""
    parts = urlsplit(endpoint.url)
    host, port = parts.hostname or "", parts.port or 443
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Pinned(_addresses(endpoint, host, port), endpoint, host, port)
    # Each read may take the time-out; all of them together may not.
    late = threading.Timer(2 * endpoint.timeout_s, _cut, (connection,))
    late.daemon = True
    late.start()
    try:
        connection.request("POST", target, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_ANSWER)
    except ssl.SSLCertVerificationError as error:
        raise _away(
            f"the certificate of {endpoint.name} is not to be trusted: {error.verify_message}"
        ) from error
    except TimeoutError as error:
        raise _away(f"{endpoint.name} did not answer in time") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise _away(f"{endpoint.name} cannot be reached: {reason}") from error
    finally:
        late.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _addresses(endpoint: Endpoint, host: str, port: int) -> list[str]:
    """Resolve *host*; Unavailable if it, or any of what it stands for, is not for us to reach."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _away(f"{endpoint.name}: no such host {host!r}") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not endpoint.private_addresses:
        for address in addresses:
            if not is_public(address):
                raise _away(
                    f"{endpoint.name}: {host} is {address}, which is not a public address;"
                    " private_addresses = true allows it"
                )
    return addresses


def _away(message: str) -> Unavailable:
    return Unavailable(message, field="webhook", rule="webhook.unavailable")
