"""Do the OCSP clients of OpenSSL and GnuTLS understand our responder?"""

import base64
import http.server
import shutil
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.identity import SYSTEM
from chancery.protocols.ocsp import OcspHandler
from chancery.services.authority import Extensions, NewAuthority
from services.pki import House, signer

pytestmark = pytest.mark.interop

KINDS = {
    "rsa": (KeyAlgorithm.RSA_3072, SignatureAlgorithm.RSA_PKCS1_SHA256),
    "pss": (KeyAlgorithm.RSA_3072, SignatureAlgorithm.RSA_PSS_SHA256),
    "ec": (KeyAlgorithm.EC_P256, None),
    "ed25519": (KeyAlgorithm.ED25519, None),
}


@dataclass
class Desk:
    """A CA that answers over HTTP, and what a client needs to ask it."""

    house: House
    url: str
    ca: Path
    root: Path
    good: CertificateRecord
    bad: CertificateRecord


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:
    directory = tmp_path_factory.mktemp("house")
    with signer(directory) as vault:
        house = House(directory, vault)
        handler = OcspHandler(house.status, house.clock)

        class Door(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._reply("POST", body)

            def do_GET(self) -> None:
                self._reply("GET", b"")

            def _reply(self, method: str, body: bytes) -> None:
                tail = self.path.removeprefix("/ocsp/")
                status, headers, answer = handler.handle(
                    method, tail, body, self.headers.get("Content-Type")
                )
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None: ...

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield house, f"http://127.0.0.1:{server.server_address[1]}/ocsp/"
        server.shutdown()
        thread.join()
        server.server_close()
        house.close()


@pytest.fixture(scope="module", params=KINDS)
def desk(request: pytest.FixtureRequest, served: tuple[House, str]) -> Desk:
    house, url = served
    name = request.param
    key, signature = KINDS[name]
    for ca, parent, days in ((f"{name}-root", None, 3650), (name, f"{name}-root", 1000)):
        house.authorities.create(
            SYSTEM,
            NewAuthority(
                ca, "lab", f"CN={ca}", parent=parent, key_algorithm=key,
                signature_algorithm=signature, extensions=Extensions(days=days),
            ),
        )  # fmt: skip
    authority = house.authorities.show(SYSTEM, name)
    good, bad = house.leaf(name, "good.example.org"), house.leaf(name, "bad.example.org")
    house.revoke(bad, RevocationReason.keyCompromise)
    house.pem(f"{name}-good.pem", good.der)
    return Desk(
        house,
        url + name,
        house.pem(f"{name}-ca.pem", authority.certificate or b""),
        house.pem(f"{name}-roots.pem", *authority.chain),
        good,
        bad,
    )


def ask(desk: Desk, *words: str | Path) -> tuple[str, str]:
    """Run one query as an administrator would type it; return what OpenSSL says."""
    done = subprocess.run(
        [str(w) for w in ("openssl", "ocsp", "-issuer", desk.ca, "-CAfile", desk.root,
         "-verify_other", desk.ca, "-url", desk.url, "-timeout", "5", *words)],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_openssl_hears_every_status(desk: Desk, digest: str, nonce: str) -> None:
    cases = ((desk.good.serial, "good"), (desk.bad.serial, "revoked"), ("1001", "unknown"))
    for serial, status in cases:
        out, err = ask(desk, nonce, digest, "-serial", f"0x{serial}")
        assert out.startswith(f"0x{serial}: {status}\n")
        assert "Response verify OK" in err
        # A nonce that does not come back is only a warning to OpenSSL, not to us.
        assert "WARNING" not in err
        if status == "revoked":
            assert "Reason: keyCompromise" in out


def test_one_request_may_ask_for_several(desk: Desk) -> None:
    out, err = ask(desk, "-serial", f"0x{desk.good.serial}", "-serial", f"0x{desk.bad.serial}")
    assert f"0x{desk.good.serial}: good" in out
    assert f"0x{desk.bad.serial}: revoked" in out
    assert "Response verify OK" in err


@pytest.mark.skipif(shutil.which("ocsptool") is None, reason="gnutls-bin is not installed")
def test_gnutls_hears_good(desk: Desk) -> None:
    name = desk.url.rpartition("/")[2]
    done = subprocess.run(
        ["ocsptool", f"--ask={desk.url}", "--load-issuer", desk.ca, "--load-cert",
         desk.house.directory / f"{name}-good.pem", "--load-trust", desk.ca],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert "Certificate Status: good" in done.stdout, done.stdout + done.stderr
    assert "Verifying OCSP Response: Success" in done.stdout


def test_pyca_reads_a_get_answer_with_its_caching_headers(desk: Desk) -> None:
    certificate = x509.load_der_x509_certificate(desk.good.der)
    issuer = x509.load_pem_x509_certificate(desk.ca.read_bytes())
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())
    request = builder.build().public_bytes(Encoding.DER)
    for path in (urllib.parse.quote(base64.b64encode(request), safe=""),
                 base64.b64encode(request).decode()):  # fmt: skip
        with urllib.request.urlopen(f"{desk.url}/{path}", timeout=5) as answer:
            response = ocsp.load_der_ocsp_response(answer.read())
            assert answer.headers["Cache-Control"].startswith("max-age=300, public")
            assert {"ETag", "Last-Modified", "Expires"} <= set(answer.headers)
        assert response.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert response.next_update_utc is not None


def test_pkilint_finds_nothing_in_the_response(desk: Desk) -> None:
    for number, record in enumerate((desk.good, desk.bad)):
        path = desk.house.directory / f"response-{number}.der"
        ask(desk, "-serial", f"0x{record.serial}", "-respout", path)
        done = subprocess.run(
            [Path(sys.executable).parent / "lint_ocsp_response", "lint", "-s", "WARNING", path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr
