"""EST with clients that nobody here wrote: curl and OpenSSL, and strongSwan's pki."""

import base64
import email
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cmc_client import answer, pki_data, signed
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from listening import Wire, party
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1.type import univ
from pyasn1_alt_modules import rfc2986

from services.instance import Instance, clean_environment
from services.rest import Rest

pytestmark = pytest.mark.interop

PKCS10 = "Content-Type: application/pkcs10"


@dataclass
class Site:
    """A served instance, and a directory for what clients write."""

    instance: Instance
    directory: Path

    @property
    def anchors(self) -> str:
        return str(self.instance.facts["ca_bundle"])

    def user(self, name: str, host: str) -> str:
        """Let a user in for one host; the password."""
        made = self.instance.json(
            *("est", "user", "create", "--ra", "main", "--name", name, "--profile", "device"),
            *("--subject", f"CN={host}", "--san", f"dns:{host}", "--expires", "1h"),
            user="officer1",
        )
        assert made["user"] == name
        return str(made["password"])

    def door(self, **changes: object) -> None:
        admin = Rest(self.instance, "admin")
        now = admin("GET", "/doors/est/main").body
        body = {name: now[name] for name in now if name not in ("name", "protocol", "label", "url")}
        settings = body["settings"] | changes.pop("settings", {})
        assert (
            admin("PUT", "/doors/est/main", body | changes | {"settings": settings}).status == 200
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            words,
            cwd=self.directory,
            env=clean_environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )

    def openssl(self, *words: str) -> bytes:
        done = self.run("openssl", *words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def request(self, name: str, *more: str) -> str:
        """A key NAME.key and a request NAME.b64 (base64 in lines) and NAME.der; the host's name."""
        host = f"{name}.example.org"
        self.openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{name}.key", "-subj", f"/CN={host}", "-outform", "DER"),
            *("-addext", f"subjectAltName=DNS:{host}", "-out", f"{name}.der", *more),
        )
        self.openssl("base64", "-in", f"{name}.der", "-out", f"{name}.b64")
        return host

    def curl(self, operation: str, *words: str, label: str = "/main") -> tuple[int, bytes]:
        """(status, body)."""
        url = f"{self.instance.facts['https']}/.well-known/est{label}/{operation}"
        done = self.run(
            *("curl", "-sS", "--max-time", "20", "--cacert", self.anchors, "-o", "body"),
            *("-w", "%{http_code}", *words, url),
        )
        assert done.returncode == 0, done.stderr.decode()
        return int(done.stdout), (self.directory / "body").read_bytes()

    def send(self, operation: str, name: str, *words: str) -> tuple[int, bytes]:
        return self.curl(operation, "-H", PKCS10, "--data-binary", f"@{name}.b64", *words)

    def certificate(self, body: bytes, name: str) -> x509.Certificate:
        """What OpenSSL finds in a certs-only answer, as NAME.pem."""
        (self.directory / "p7.der").write_bytes(base64.b64decode(body, validate=True))
        self.openssl(
            "pkcs7", "-inform", "DER", "-in", "p7.der", "-print_certs", "-out", f"{name}.pem"
        )
        (found,) = x509.load_pem_x509_certificates((self.directory / f"{name}.pem").read_bytes())
        return found

    def enrolled(self, name: str, password: str, user: str | None = None) -> x509.Certificate:
        status, body = self.send("simpleenroll", name, "-u", f"{user or name}:{password}")
        assert status == 200, body
        return self.certificate(body, name)

    def pki(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return self.run(
            "pki", *words, "--url", self.instance.facts["https"], "--cacert", self.anchors
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("est")
    made = Instance.create(directory / "instance")
    with made.serving():
        yield Site(made, directory)


# curl and OpenSSL


def test_curl_and_openssl_through_the_life_of_a_certificate(site: Site) -> None:
    status, body = site.curl("cacerts", label="")
    (site.directory / "cas.der").write_bytes(base64.b64decode(body, validate=True))
    site.openssl("pkcs7", "-inform", "DER", "-in", "cas.der", "-print_certs", "-out", "cas.pem")
    listed = (site.directory / "cas.pem").read_text()
    assert (status, listed.count("BEGIN CERTIFICATE")) == (200, 2)

    status, body = site.curl("csrattrs")
    (site.directory / "attributes.der").write_bytes(base64.b64decode(body))
    shown = site.openssl("asn1parse", "-inform", "DER", "-in", "attributes.der").decode()
    assert (status, "1.2.840.113549.1.9.16.2.61" in shown) == (200, True)

    host = site.request("dev")
    assert site.send("simpleenroll", "dev") == (401, b"")
    password = site.user("dev", host)
    assert site.send("simpleenroll", "dev", "-u", "dev:wrong") == (401, b"")
    first = site.enrolled("dev", password)
    site.openssl("verify", "-CAfile", site.anchors, "-untrusted", "cas.pem", "dev.pem")
    assert site.enrolled("dev", password) == first  # the answer was lost on its way
    status, body = site.send("simpleenroll", "dev", "-u", f"dev:{password}", "-0", "-A", "libest 3")
    assert (status, max(map(len, body.splitlines()))) == (200, 76)

    own = ("--cert", "dev.pem", "--key", "dev.key")
    shutil.copy(site.directory / "dev.pem", site.directory / "old.pem")
    shutil.copy(site.directory / "dev.key", site.directory / "old.key")
    site.request("dev")
    status, body = site.send("simplereenroll", "dev", "--cert", "old.pem", "--key", "old.key")
    assert status == 200, body
    renewed = site.certificate(body, "dev")
    assert renewed.subject == first.subject
    assert renewed.public_key() != first.public_key()

    operator = Rest(site.instance, "operator")
    serial = f"{renewed.serial_number:x}"
    assert (
        operator("POST", f"/certificates/{serial}/revoke", {"reason": "superseded"}).status == 200
    )
    assert site.send("simplereenroll", "dev", *own) == (401, b"")


def test_curl_speaks_digest(site: Site) -> None:
    site.door(settings={"digest": True})
    password = site.user("digest", site.request("digest"))
    status, body = site.send("simpleenroll", "digest", "--digest", "-u", f"digest:{password}")
    assert status == 200, body
    assert site.send("simpleenroll", "digest", "--digest", "-u", "digest:wrong") == (401, b"")


def test_openssl_opens_a_key_that_was_made_here(site: Site) -> None:
    password = site.user("maker", site.request("made"))
    status, bare = site.send("serverkeygen", "made", "-u", f"maker:{password}", "-D", "head")
    key, mine = parts(site, status, bare)
    private = load_der(site, key.get_payload(decode=True))
    assert (
        site.certificate(base64.b64encode(mine.get_payload(decode=True)), "made").public_key()
        == private
    )

    shared = site.instance.json(
        "est", "key", "create", "--ra", "main", "--name", "kek", user="officer1"
    )
    request = with_decrypt_key(site)
    (site.directory / "sealed.b64").write_bytes(base64.b64encode(request))
    status, sealed = site.send("serverkeygen", "sealed", "-u", f"maker:{password}", "-D", "head")
    key, mine = parts(site, status, sealed)
    assert dict(key.get_params())["smime-type"] == "server-generated-key"
    (site.directory / "sealed.cms").write_bytes(key.get_payload(decode=True))
    site.openssl(
        *("cms", "-decrypt", "-inform", "DER", "-binary", "-in", "sealed.cms", "-out", "inner.der"),
        *("-secretkey", shared["secret"], "-secretkeyid", b"kek".hex()),
    )
    shown = site.openssl("asn1parse", "-inform", "DER", "-in", "inner.der").decode()
    assert "2.16.840.1.101.2.1.2.78.5" in shown


def common_name(host: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])


def parts(site: Site, status: int, body: bytes) -> Any:
    assert status == 200, body
    head = (site.directory / "head").read_text()
    (kind,) = (line for line in head.splitlines() if line.lower().startswith("content-type"))
    return email.message_from_bytes(kind.encode() + b"\r\n\r\n" + body).get_payload()


def load_der(site: Site, pkcs8: bytes) -> Any:
    (site.directory / "bare.der").write_bytes(pkcs8)
    pem = site.openssl("pkey", "-inform", "DER", "-in", "bare.der")
    return load_pem_private_key(pem, None).public_key()


def with_decrypt_key(site: Site) -> bytes:
    """OpenSSL's req cannot write the attribute: a request that names the shared key."""
    request, _ = decode(
        (site.directory / "made.der").read_bytes(), asn1Spec=rfc2986.CertificationRequest()
    )
    attribute = rfc2986.Attribute()
    attribute["type"] = univ.ObjectIdentifier("1.2.840.113549.1.9.16.2.37")
    attribute["values"].append(univ.Any(encode(univ.OctetString(b"kek"))))
    request["certificationRequestInfo"]["attributes"].append(attribute)
    return bytes(encode(request))  # its signature means nothing here (RFC 7030 §4.4)


def test_openssl_verifies_an_answer_to_cmc(site: Site) -> None:
    password = site.user("cmc", "cmc.example.org")
    key = ec.generate_private_key(ec.SECP256R1())
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(common_name("cmc.example.org"))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cmc.example.org")]), False)
        .sign(key, hashes.SHA256())
    )
    controls = [
        ("1.3.6.1.5.5.7.7.5", bytes(encode(univ.Integer(42)))),
        ("1.3.6.1.5.5.7.7.6", bytes(encode(univ.OctetString(b"nonce")))),
    ]
    message = signed(pki_data(asked.public_bytes(Encoding.DER), controls), key, None)
    (site.directory / "cmc.b64").write_bytes(base64.b64encode(message))
    media = "Content-Type: application/pkcs7-mime; smime-type=CMC-request"
    status, body = site.curl(
        "fullcmc", "-H", media, "--data-binary", "@cmc.b64", "-u", f"cmc:{password}"
    )
    assert status == 200, body
    told, certificates = answer(
        base64.b64decode(body, validate=True), Path(site.anchors), site.directory
    )
    assert (told["status"], told["bodies"]) == (0, [1])
    assert told["controls"]["1.3.6.1.5.5.7.7.5"] == controls[0][1]
    assert told["controls"]["1.3.6.1.5.5.7.7.7"] == controls[1][1]
    assert key.public_key() in [one.public_key() for one in certificates]


# strongSwan


@pytest.mark.skipif(
    shutil.which("pki") is None, reason="scripts/test-packages installs strongSwan's pki"
)
def test_strongswan_enrols_waits_and_renews(site: Site) -> None:
    done = site.pki("--estca", "--caout", "ca.pem", "--outform", "pem")
    assert done.returncode == 0, done.stderr.decode()
    site.openssl("verify", "-CAfile", "ca.pem", "ca-1.pem")

    site.door(approvals=1, settings={"retry_after_s": 1})
    host = site.request("swan")
    password = site.user("swan", host)
    wait = ("--interval", "1", "--maxpolltime", "30", "--outform", "pem")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            site.pki, "--est", "--in", "swan.der", "--userpass", f"swan:{password}", *wait
        )
        approve(site)
        done = running.result()
    assert done.returncode == 0, done.stderr.decode()
    (site.directory / "swan.pem").write_bytes(done.stdout)
    (first,) = x509.load_pem_x509_certificates(done.stdout)
    assert first.subject.rfc4514_string() == f"CN={host}"

    site.door(approvals=0)
    shutil.copy(site.directory / "swan.key", site.directory / "before.key")
    site.request("swan")
    done = site.pki(
        "--est", "--in", "swan.der", "--cert", "swan.pem", "--key", "before.key", "--outform", "pem"
    )
    assert done.returncode == 0, done.stderr.decode()
    (renewed,) = x509.load_pem_x509_certificates(done.stdout)
    assert renewed.subject == first.subject
    assert renewed.serial_number != first.serial_number


def approve(site: Site) -> None:
    """As an officer, as soon as there is something to approve."""
    officer, deadline = Rest(site.instance, "officer1"), time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := officer("GET", "/requests?state=pending").body["items"]:
            assert officer("POST", f"/requests/{found[0]['id']}/approve").status == 200
            return
        time.sleep(0.05)
    pytest.fail("nothing waits for approval")


# Connections


def test_a_request_made_for_its_connection(site: Site) -> None:
    """TLS 1.2, the binding known to both ends, the request sent on the very connection."""
    password = site.user("bound", "bound.example.org")
    context = ssl.create_default_context(cafile=site.anchors)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    port = int(site.instance.facts["https"].rpartition(":")[2])
    key = ec.generate_private_key(ec.SECP256R1())
    with Wire(port, context) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        binding = wire.socket.get_channel_binding("tls-unique")
        assert binding is not None
        made = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(common_name("bound.example.org"))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("bound.example.org")]), False)
            .add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, base64.b64encode(binding))
            .sign(key, hashes.SHA256())
        )
        body = base64.b64encode(made.public_bytes(Encoding.DER))
        wire.send(message(body, len(body), f"bound:{password}"))
        assert wire.until(b"\r\n").startswith(b"HTTP/1.1 200 ")
    with Wire(port, context) as wire:  # another connection
        wire.send(message(body, len(body), f"bound:{password}"))
        told = wire.until(b"another connection")
        assert told.startswith(b"HTTP/1.1 400 ")


def message(body: bytes, length: int, user: str) -> bytes:
    basic = base64.b64encode(user.encode()).decode()
    head = (
        "POST /.well-known/est/main/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
        f"{PKCS10}\r\nAuthorization: Basic {basic}\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + body


def test_a_body_of_100_mb_is_not_waited_for(site: Site) -> None:
    context = ssl.create_default_context(cafile=site.anchors)
    with Wire(int(site.instance.facts["https"].rpartition(":")[2]), context) as wire:
        wire.send(message(b"A" * 300_000, 100_000_000, "x:y"))
        assert wire.until(b"\r\n").startswith(b"HTTP/1.1 413 ")


def test_a_certificate_of_strangers_ends_in_the_handshake(site: Site) -> None:
    certificate, key = party("eve", party("other root", ca=True)).write(site.directory, "eve")
    url = f"{site.instance.facts['https']}/.well-known/est/main/cacerts"
    done = site.run(
        *(
            "curl",
            "-sS",
            "--cacert",
            site.anchors,
            "--cert",
            str(certificate),
            "--key",
            str(key),
            url,
        )
    )
    assert done.returncode != 0
    assert done.stdout == b""  # in TLS 1.3 a client learns it only by reading
