"""A small real HTTPS server with canned answers, and the real command in this process."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chancery.cli.main import main

TOKEN = "chy_test-token"


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire; *path* is still percent-encoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        kind = "application/problem+json" if self.status >= 400 else "application/json"
        return json.dumps(self.body).encode(), kind


Respond = Callable[[Seen], Answer]


class FakeServer:
    """Answers by (method, path); everything it was asked is in ``seen``."""

    def __init__(self, certificate: Path) -> None:
        self.seen: list[Seen] = []
        self.answers: dict[tuple[str, str], list[Answer] | Respond] = {}
        handler = type("Handler", (_Handler,), {"office": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._tls = context
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"https://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def on(self, method: str, path: str, *answers: Any, prefix: str = "/api/v1") -> None:
        """Say what to answer: values in turn (the last one again and again), or one function."""
        if len(answers) == 1 and callable(answers[0]):
            self.answers[method, prefix + path] = answers[0]
            return
        self.answers[method, prefix + path] = [
            a if isinstance(a, Answer) else Answer(a) for a in answers
        ]

    def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        canned = self.answers.get((seen.method, seen.path))
        if canned is None:
            detail = f"no canned answer for {seen.method} {seen.path}"
            return Answer({"detail": detail}, 501)
        if callable(canned):
            return canned(seen)
        return canned.pop(0) if len(canned) > 1 else canned[0]

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def refuse_client_certificates(self) -> None:
        """Demand one, and trust nobody's."""
        self._tls.verify_mode = ssl.CERT_REQUIRED

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    office: FakeServer
    protocol_version = "HTTP/1.1"
    timeout = 10

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        parts = urlsplit(self.path)
        seen = Seen(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {key.lower(): value for key, value in self.headers.items()},
            self.rfile.read(length),
        )
        answer = self.office.answer(seen)
        body, kind = answer.encoded()
        if answer.status == 204:
            body = b""
        self.send_response(answer.status)
        for name, value in ({"Content-Type": kind} | answer.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server asks for them

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One PEM file: a self-signed certificate for 127.0.0.1 (also the bundle) and its key."""
    return self_signed(tmp_path_factory.mktemp("tls") / "server.pem")


def self_signed(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(pem) + private)
    return path


@pytest.fixture
def server(tls: Path) -> Iterator[FakeServer]:
    running = FakeServer(tls)
    yield running
    running.close()


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "CA_BUNDLE", "TOKEN_FILE", "HOME", "REQUEST_CODE", "AUDIT_KEY", "CONFIG"):
        monkeypatch.delenv(f"CHANCERY_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "me.token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def alone(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Finished]:
    """Run the command as it is, without naming any server."""

    def run(*argv: object) -> Finished:
        code = main([str(word) for word in argv])
        out, err = capfdbinary.readouterr()
        return Finished(code, out.decode(), err.decode())

    return run


@pytest.fixture
def run(
    server: FakeServer, tls: Path, token_file: Path, alone: Callable[..., Finished]
) -> Callable[..., Finished]:
    """Run the command against the fake server, signed in."""
    where = ("--url", server.url, "--ca-bundle", tls, "--token-file", token_file)
    return lambda *argv: alone(*argv, *where)
