"""Keys on their way: OpenSSL opens what was sealed, and finds who signed it."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from listening import DAY

from chancery.domain.errors import CAError
from chancery.wire import cms, cms_writing, est_keys
from chancery.wire import cms_algorithms as alg

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP384R1())
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")


def certificate(key: Any, usage: str | None = None) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
    if usage is not None:
        bits = {
            name: name == usage
            for name in (
                *USAGES,
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            )
        }
        builder = builder.add_extension(x509.KeyUsage(**bits), critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = certificate(RSA)
SIGNED = cms_writing.signed(
    est_keys.package(KEY),
    (),
    cms.read_certificate(SIGNER),
    alg.Digest.SHA256,
    lambda data: RSA.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    certificates=[SIGNER],
    content_type=est_keys.KEY_PACKAGE,
)


def opened(tmp_path: Path, sealed: bytes, *how: str) -> bytes:
    """What ``openssl cms`` finds in it, its signature verified."""
    (tmp_path / "sealed.der").write_bytes(sealed)
    inside = tmp_path / "inside.der"
    common = ["openssl", "cms", "-inform", "DER", "-binary"]
    subprocess.run(
        [*common, "-decrypt", "-in", str(tmp_path / "sealed.der"), "-out", str(inside), *how],
        check=True,
        capture_output=True,
    )
    # OpenSSL hands out the SignedData without the ContentInfo around it.
    (tmp_path / "signed.der").write_bytes(
        cms_writing.content_info(cms.SIGNED_DATA, inside.read_bytes())
    )
    (tmp_path / "signer.pem").write_bytes(
        x509.load_der_x509_certificate(SIGNER).public_bytes(Encoding.PEM)
    )
    subprocess.run(
        [*common, "-verify", "-in", str(tmp_path / "signed.der"), "-CAfile", str(tmp_path / "signer.pem"),
         "-purpose", "any", "-out", str(tmp_path / "package.der")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return (tmp_path / "package.der").read_bytes()


@pytest.mark.parametrize("cipher", [alg.ContentCipher.AES_128, alg.ContentCipher.AES_256])
def test_for_a_shared_key(tmp_path: Path, cipher: alg.ContentCipher) -> None:
    kek = os.urandom(32)
    sealed = est_keys.for_key(SIGNED, b"key-1", kek, cipher, os.urandom)
    found = opened(tmp_path, sealed, "-secretkey", kek.hex(), "-secretkeyid", b"key-1".hex())
    assert found == est_keys.package(KEY)


@pytest.mark.parametrize("key", [RSA, EC], ids=["rsa", "ec"])
def test_for_a_certificate(tmp_path: Path, key: Any) -> None:
    mine = certificate(key)
    sealed = est_keys.for_certificate(SIGNED, mine, alg.ContentCipher.AES_256, os.urandom)
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "mine.pem").write_bytes(
        x509.load_der_x509_certificate(mine).public_bytes(Encoding.PEM)
    )
    found = opened(tmp_path, sealed, "-inkey", str(pem), "-recip", str(tmp_path / "mine.pem"))
    assert found == est_keys.package(KEY)


@pytest.mark.parametrize(
    ("key", "usage"),
    [
        (RSA, "digital_signature"),
        (EC, "digital_signature"),
        (EC, "key_encipherment"),
        (ed25519.Ed25519PrivateKey.generate(), None),
    ],
)
def test_not_for_a_certificate_that_may_not_take_it(key: Any, usage: str | None) -> None:
    mine = certificate(key, usage)
    with pytest.raises(CAError) as caught:
        est_keys.for_certificate(SIGNED, mine, alg.ContentCipher.AES_256, os.urandom)
    assert caught.value.rule == "est.decrypt-key"


def test_the_client_chooses_the_cipher() -> None:
    assert est_keys.cipher_for(()) is alg.ContentCipher.AES_256
    asked = ("1.2.840.113549.3.7", "2.16.840.1.101.3.4.1.2", "2.16.840.1.101.3.4.1.42")
    assert est_keys.cipher_for(asked) is alg.ContentCipher.AES_128
    with pytest.raises(CAError):
        est_keys.cipher_for(("1.2.840.113549.3.7",))
