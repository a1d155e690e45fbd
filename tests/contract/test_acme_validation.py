"""Names are proved where their owners are, and nowhere else: HTTP, DNS, TLS, CAA."""

import contextlib
import datetime as dt
import hashlib
import http.server
import ipaddress
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from acme_client import b64
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chancery.adapters.addresses import is_within
from chancery.adapters.validation import DnsCaa, LocalValidator, SpreadValidator
from chancery.app.vantage import VantageServer
from chancery.domain.acme import ChallengeKind, Fault, identifier
from chancery.domain.acme_settings import AcmeSettings, Vantage
from chancery.domain.errors import Unavailable
from chancery.ports_acme import CaaRecord, Question
from services.challtestsrv import Resolver, resolver
from services.tls_files import Authority

TOKEN, THUMBPRINT = "t" * 43, "p" * 43
RIGHT = f"{TOKEN}.{THUMBPRINT}"
DIGEST = hashlib.sha256(RIGHT.encode()).digest()


@pytest.fixture(scope="module")
def dns() -> Iterator[Resolver]:
    with resolver() as found:
        yield found


class Web(http.server.BaseHTTPRequestHandler):
    """What a host shows; by its name, so that one server is many hosts."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        self.seen.append(f"{host}{self.path}")
        port = self.server.server_address[1]
        where = {
            "moved.test": f"http://good.test:{port}/elsewhere",
            "round.test": f"http://round.test:{port}/again",
            "port.test": "http://good.test:22/",
            "scheme.test": "ftp://good.test/",
            "user.test": f"http://a@good.test:{port}/",
            "inside.test": f"http://10.0.0.1:{port}/",
            "metadata.test": f"http://169.254.169.254:{port}/",
            "header.test": f"http://good.test:{port}/a%0d%0aX: y",
        }.get(host)
        self.send_response(302 if where else 404 if host == "missing.test" else 200)
        if where:
            self.send_header("Location", where)
        self.end_headers()
        body = b"x" * 100_000 if host == "large.test" else RIGHT.encode() + b"\n"
        if host == "other.test":
            body = b"something else"
        self.wfile.write(b"" if where else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def settings(dns: Resolver, web: int) -> AcmeSettings:
    return AcmeSettings(
        resolvers=(dns.address,), networks=("127.0.0.0/8",), http_port=web, timeout_s=2
    )


def ask(kind: ChallengeKind, name: str, settings: AcmeSettings) -> Fault | None:
    found = identifier("ip" if name[0].isdigit() else "dns", name)
    return LocalValidator().check(Question(kind, found, TOKEN, THUMBPRINT), settings)


@pytest.mark.parametrize("host", ["good.test", "moved.test", "127.0.0.1"])
def test_a_file_proves_a_host(host: str, settings: AcmeSettings) -> None:
    assert ask(ChallengeKind.HTTP_01, host, settings) is None
    assert Web.seen[-1].endswith("/elsewhere") == (host == "moved.test")


@pytest.mark.parametrize(
    ("host", "kind", "said"),
    [
        ("other.test", "incorrectResponse", "something else"),
        ("large.test", "incorrectResponse", "more than 8192 octets"),
        ("missing.test", "unauthorized", "404"),
        ("round.test", "connection", "redirections"),
        ("port.test", "connection", "not followed"),
        ("scheme.test", "connection", "not followed"),
        ("user.test", "connection", "not followed"),
        ("header.test", "connection", "InvalidURL"),
        ("inside.test", "rejectedIdentifier", "not to be reached"),
        ("metadata.test", "rejectedIdentifier", "not to be reached"),
    ],
)
def test_a_file_that_proves_nothing(
    host: str, kind: str, said: str, settings: AcmeSettings
) -> None:
    fault = ask(ChallengeKind.HTTP_01, host, settings)
    assert fault is not None
    assert fault.kind == kind
    assert said in fault.detail


def test_private_addresses_are_refused_unless_allowed(settings: AcmeSettings) -> None:
    before = len(Web.seen)
    strict = replace(settings, networks=("10.0.0.0/8",))
    for kind in (ChallengeKind.HTTP_01, ChallengeKind.TLS_ALPN_01):
        for host in ("good.test", "127.0.0.1"):
            fault = ask(kind, host, strict)
            assert fault is not None
            assert fault.kind == "rejectedIdentifier"
    assert len(Web.seen) == before
    assert not is_within("::1", ("127.0.0.0/8",))


def test_who_does_not_answer_costs_a_bounded_time(settings: AcmeSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        silent = replace(settings, http_port=deaf.getsockname()[1], timeout_s=1)
        fault = ask(ChallengeKind.HTTP_01, "good.test", silent)
    assert fault is not None
    assert fault.kind == "connection"


def test_a_record_proves_a_name(dns: Resolver, settings: AcmeSettings) -> None:
    dns.set("set-txt", host="_acme-challenge.txt.test.", value=b64(DIGEST))
    dns.set("set-txt", host="_acme-challenge.wrong.test.", value="wrong")
    dns.set("set-cname", host="_acme-challenge.alias.test.", target="_acme-challenge.txt.test.")
    dns.set("set-servfail", host="_acme-challenge.broken.test.")
    assert ask(ChallengeKind.DNS_01, "txt.test", settings) is None
    assert ask(ChallengeKind.DNS_01, "*.txt.test", settings) is None
    assert ask(ChallengeKind.DNS_01, "alias.test", settings) is None
    for host, kind in (
        ("wrong.test", "incorrectResponse"),
        ("none.test", "dns"),
        ("broken.test", "dns"),
    ):
        fault = ask(ChallengeKind.DNS_01, host, settings)
        assert fault is not None
        assert fault.kind == kind


def test_caa_records_are_read_as_they_are(dns: Resolver, settings: AcmeSettings) -> None:
    policy = [{"tag": "issue", "value": "ca.example.org; validationmethods=dns-01"}]
    dns.set("add-caa", host="caa.test.", policies=policy)
    dns.set("set-servfail", host="failing.test.")
    lookup = DnsCaa()
    assert list(lookup.caa("caa.test", settings)) == [
        CaaRecord(critical=False, tag="issue", value=policy[0]["value"])
    ]
    assert list(lookup.caa("none.test", settings)) == []
    with pytest.raises(Unavailable):
        lookup.caa("failing.test", settings)


def challenge_certificate(
    directory: Path, name: str, digest: bytes, *, critical: bool = True, more: tuple[str, ...] = ()
) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "challenge")])
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in (name, *more)]
    if name[0].isdigit():
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    now = dt.datetime.now(dt.UTC)
    proof = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x20" + digest
    )
    made = (
        x509.CertificateBuilder(own, own, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(proof, critical=critical)
        .sign(key, hashes.SHA256())
    )
    path = directory / "challenge.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.set_alpn_protocols(["acme-tls/1"])
    return context


class Tls(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    context: ssl.SSLContext
    indicated: list[str]


class Shake(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Tls)
        with contextlib.suppress(OSError):
            self.server.context.wrap_socket(self.request, server_side=True).close()


@pytest.fixture(scope="module")
def tls() -> Iterator[Tls]:
    with Tls(("127.0.0.1", 0), Shake) as server:
        server.indicated = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_certificate_proves_a_host(tls: Tls, settings: AcmeSettings, tmp_path: Path) -> None:
    there = replace(settings, tls_port=tls.server_address[1])

    def shown(name: str, digest: bytes = DIGEST, **more: object) -> str:
        tls.context = challenge_certificate(tmp_path, name, digest, **more)  # type: ignore[arg-type]
        tls.context.sni_callback = lambda _s, name, _c: tls.indicated.append(name)  # type: ignore[assignment]
        host = "127.0.0.1" if name == "127.0.0.1" else "tls.test"
        fault = ask(ChallengeKind.TLS_ALPN_01, host, there)
        return fault.kind if fault is not None else "valid"

    assert shown("tls.test") == "valid"
    assert tls.indicated[-1] == "tls.test"
    assert shown("127.0.0.1") == "valid"
    assert tls.indicated[-1] == "1.0.0.127.in-addr.arpa"  # RFC 8738 §6
    assert shown("other.test") == "unauthorized"
    assert shown("tls.test", more=("other.test",)) == "unauthorized"
    assert shown("tls.test", bytes(32)) == "incorrectResponse"
    assert shown("tls.test", critical=False) == "incorrectResponse"
    tls.context.set_alpn_protocols(["http/1.1"])
    fault = ask(ChallengeKind.TLS_ALPN_01, "tls.test", there)
    assert fault is not None
    assert fault.kind in ("tls", "unauthorized")
    fault = ask(ChallengeKind.TLS_ALPN_01, "tls.test", replace(there, tls_port=settings.http_port))
    assert fault is not None
    assert fault.kind == "tls"


def test_other_places_must_see_it_too(settings: AcmeSettings, tmp_path: Path) -> None:
    ca, certificate, key = Authority.create("vantage"), tmp_path / "tls.pem", tmp_path / "tls.key"
    ca.server("localhost").write(certificate, key)
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(ca.pem)
    token = tmp_path / "token"
    token.write_text("word\n")

    def opened(own: AcmeSettings, word: str = "word") -> VantageServer:
        server = VantageServer(("127.0.0.1", 0), (certificate, key), word, own)
        threading.Thread(target=server.run, daemon=True).start()
        return server

    blind = replace(settings, networks=())
    servers = [opened(settings), opened(settings), opened(blind), opened(settings, "other")]
    places = [
        Vantage(f"https://localhost:{one.port}/", str(token), str(trusted)) for one in servers
    ]
    gone = Vantage("https://localhost:9/", str(token), str(trusted))

    def proved(*seen_from: Vantage, quorum: int | None = None, host: str = "good.test") -> bool:
        there = replace(settings, vantages=seen_from, quorum=quorum)
        name = identifier("dns", host)
        question = Question(ChallengeKind.HTTP_01, name, TOKEN, THUMBPRINT)
        return SpreadValidator().check(question, there) is None

    one, two, blinded, stranger = places
    assert proved(one, two)
    assert proved(one, two, blinded)  # all but one
    assert not proved(one, blinded, gone)
    assert not proved(one, two, stranger, quorum=3)
    assert not proved(stranger)
    assert not proved(one, two, host="other.test")
    for server in servers:
        server.stop()
