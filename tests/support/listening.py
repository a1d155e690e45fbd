"""A server of ours in this process, on real sockets, and certificates to meet it with."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chancery import peer
from chancery.server.listeners import Fast, Listener, Server, bind, configuration

DAY = dt.timedelta(days=1)


@dataclass
class Party:
    """A name, its key and its certificate, also as files for the ``ssl`` module."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def pem(self) -> bytes:
        encoded = (
            one.public_bytes(serialization.Encoding.PEM) for one in (self.certificate, *self.chain)
        )
        return b"".join(encoded)

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_bytes(self.pem())
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key


def party(
    name: str, issuer: Party | None = None, *, ca: bool = False, expired: bool = False
) -> Party:
    """Make a certificate; self-signed without *issuer*."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now - DAY if expired else now + DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    is_root = issuer is None or issuer.certificate.issuer == issuer.certificate.subject
    above = () if is_root else (issuer.certificate, *issuer.chain)
    return Party(signed, key, above)


@contextlib.contextmanager
def serving(
    app: Any, listeners: Sequence[Listener], fast: Fast | None = None
) -> Iterator[tuple[Server, list[int]]]:
    """Serve *app* in a thread; yield the server and its ports; stop it at the end."""
    bound = bind(listeners)
    server = Server(configuration(app, grace_s=2), bound, fast)
    started = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run_until_stopped(started.set)
        except BaseException as error:  # noqa: BLE001 - shown by the thread that waits
            failures.append(error)
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield server, [one.socket.getsockname()[1] for one in bound]
    finally:
        server.should_exit = True
        thread.join(10)
        for one in bound:
            one.socket.close()
    assert not failures, failures


class Wire:
    """A client that sends octets and says what came back."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := self.socket.recv(65_536):
                parts.append(part)
        return b"".join(parts)

    def until(self, text: bytes) -> bytes:
        data = b""
        while text not in data:
            part = self.socket.recv(65_536)
            assert part, f"closed after {data!r}"
            data += part
        return data

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with method, path and body; ``/slow`` takes its time, ``/tls`` shows the identity,
    ``/binding`` the channel binding in hex.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    if scope["path"] == "/tls":
        body = "".join(
            scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ["plain"])
        ).encode()
    if scope["path"] == "/binding":
        body = (peer.tls_unique(scope) or b"none").hex().encode()
    text = f"{scope['method']} {scope['path']} ".encode() + body + b"!"
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
