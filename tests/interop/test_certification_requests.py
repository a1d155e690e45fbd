"""Do we read what other programs ask with, and do they read what we ask with?

Judges: OpenSSL, GnuTLS ``certtool``, Java ``keytool``.  A program that is not
installed skips its tests aloud.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain import key_quality
from chancery.domain.algorithms import SignatureAlgorithm, key_family
from chancery.domain.errors import BadRequest
from chancery.domain.weak_keys import debian_fingerprint
from chancery.wire import pem, pkcs10
from chancery.wire.names import parse_text

pytestmark = pytest.mark.interop


def run(*command: str | Path, data: bytes | None = None, fails: bool = False) -> str:
    """Run one foreign program; return what it printed."""
    program = str(command[0])
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    finished = subprocess.run(
        [str(part) for part in command], input=data, capture_output=True, timeout=60, check=False
    )
    output = (finished.stdout + finished.stderr).decode()
    assert (finished.returncode != 0) == fails, output
    return output


KEYS = {
    "rsa-2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ec-p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ec-p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ec-p521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["ED25519"],
}
PSS = ("-sigopt", "rsa_padding_mode:pss")
ASKED = [
    *((kind, (), form) for kind in KEYS for form in ("PEM", "DER")),
    ("rsa-2048", PSS, "PEM"),
    ("rsa-2048", (*PSS, "-sigopt", "rsa_pss_saltlen:-1", "-sha512"), "DER"),
    ("rsa-2048", (*PSS, "-sigopt", "rsa_pss_saltlen:0"), "DER"),
    ("rsa-2048", ("-sha384",), "PEM"),
    ("ec-p256", ("-sha512",), "PEM"),
    ("ec-p256", ("-newhdr",), "PEM"),
]


def openssl_request(directory: Path, kind: str, *options: str, form: str = "PEM") -> bytes:
    key, csr = directory / "key.pem", directory / "csr"
    run("openssl", "genpkey", "-algorithm", *KEYS[kind], "-out", key)
    run(
        "openssl", "req", "-new", "-key", key, "-out", csr, "-outform", form,
        "-subj", "/C=DE/O=Example GmbH/CN=www.example.org",
        "-addext", "subjectAltName=DNS:www.example.org,IP:192.0.2.1", *options,
    )  # fmt: skip
    return csr.read_bytes()


@pytest.mark.parametrize(("kind", "options", "form"), ASKED)
def test_openssl_asks(tmp_path: Path, kind: str, options: tuple[str, ...], form: str) -> None:
    csr = pkcs10.decode(openssl_request(tmp_path, kind, *options, form=form))
    pkcs10.check_signature(csr)
    key_quality.check(csr.public_key)
    assert key_family(csr.public_key) == kind
    assert csr.subject.text == "CN=www.example.org,O=Example GmbH,C=DE"
    assert [name.text for name in csr.names] == ["dns:www.example.org", "ip:192.0.2.1"]


@pytest.mark.parametrize("digest", ["-sha1", "-md5"])
def test_openssl_asks_with_a_broken_hash(tmp_path: Path, digest: str) -> None:
    csr = pkcs10.decode(openssl_request(tmp_path, "rsa-2048", digest))
    with pytest.raises(BadRequest, match="which is broken") as refused:
        pkcs10.check_signature(csr)
    assert refused.value.rule == "pop.signature-algorithm"


def test_openssl_names_an_rsa_key_as_the_debian_lists_do(tmp_path: Path) -> None:
    csr = pkcs10.decode(openssl_request(tmp_path, "rsa-2048"))
    printed = run("openssl", "rsa", "-noout", "-modulus", "-in", tmp_path / "key.pem")
    digest = run("openssl", "sha1", data=printed.encode()).split()[-1]
    assert isinstance(csr.public_key, rsa.RSAPublicKey)
    assert debian_fingerprint(csr.public_key.public_numbers().n).hex() == digest[20:]


def test_certtool_asks(tmp_path: Path) -> None:
    template, key = tmp_path / "template", tmp_path / "key.pem"
    template.write_text(
        'cn = "www.example.org"\ndns_name = "www.example.org"\ntls_www_server\n'
        'challenge_password = "s3cret"\n'
    )
    run(
        "certtool",
        "--generate-privkey",
        "--key-type",
        "ecdsa",
        "--curve",
        "secp256r1",
        "--outfile",
        key,
    )
    text = run("certtool", "--generate-request", "--load-privkey", key, "--template", template)
    csr = pkcs10.decode(text.encode())
    pkcs10.check_signature(csr)
    assert [name.text for name in csr.names] == ["dns:www.example.org"]
    assert csr.challenge_password == "s3cret"


@pytest.mark.parametrize(
    "algorithm", [["RSA", "-keysize", "2048"], ["EC", "-groupname", "secp256r1"]]
)
def test_keytool_asks(tmp_path: Path, algorithm: list[str]) -> None:
    store = ["-keystore", str(tmp_path / "store"), "-storepass", "changeit", "-alias", "a"]
    run(
        "keytool",
        "-genkeypair",
        "-keyalg",
        *algorithm,
        "-dname",
        "CN=www.example.org, C=DE",
        *store,
    )
    text = run("keytool", "-certreq", "-ext", "SAN=dns:www.example.org", *store)
    assert "NEW CERTIFICATE REQUEST" in text
    csr = pkcs10.decode(text.encode())
    pkcs10.check_signature(csr)
    assert csr.subject.text == "CN=www.example.org,C=DE"
    assert [name.text for name in csr.names] == ["dns:www.example.org"]


def our_requests() -> dict[str, bytes]:
    """One request of ours per kind of signature that the judges know."""
    subject = parse_text("CN=Issuing CA 1,O=Example GmbH,C=DE")
    extensions = (("2.5.29.19", True, bytes.fromhex("30030101ff")),)
    p256 = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    big = rsa.generate_private_key(65_537, 2048)
    signers = {
        SignatureAlgorithm.ECDSA_SHA256: (p256, (ec.ECDSA(hashes.SHA256()),)),
        SignatureAlgorithm.ED25519: (edwards, ()),
        SignatureAlgorithm.RSA_PKCS1_SHA384: (big, (PKCS1v15(), hashes.SHA384())),
    }
    made = {}
    for algorithm, (key, arguments) in signers.items():
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        info = pkcs10.encode_info(subject, spki, extensions)
        made[algorithm.value] = pkcs10.join(info, algorithm, key.sign(info, *arguments))
    return made


@pytest.mark.parametrize(("algorithm", "csr"), our_requests().items())
def test_others_read_our_requests(tmp_path: Path, algorithm: str, csr: bytes) -> None:
    path = tmp_path / "ca.csr"
    path.write_text(pem.encode("CERTIFICATE REQUEST", csr))
    printed = run("openssl", "req", "-in", path, "-verify", "-noout", "-text")
    assert "self-signature verify OK" in printed
    assert "X509v3 Basic Constraints: critical" in printed
    assert "CA:TRUE" in printed
    printed = run("certtool", "--crq-info", "--infile", path)
    assert "Self signature: verified" in printed
    assert "CN=Issuing CA 1" in printed
