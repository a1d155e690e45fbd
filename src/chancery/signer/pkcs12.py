"""Packing a requester's key: PKCS#12 with PBES2 and AES-256-CBC (RFC 7292, RFC 8018)."""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chancery.domain.errors import SignerRefused
from chancery.signer import keypair

ROUNDS: Final = 100_000
"""PBKDF2 iterations: 25 ms, in which nothing else is signed.  OpenSSL's default is 2,048."""
MIN_PASSPHRASE: Final = 12
"""The MAC costs an attacker 2,048 iterations a guess: docs/divergences/rfc7292.md."""
MAX_CHAIN: Final = 16


def package(
    private: keypair.PrivateKey,
    spki: bytes,
    certificate: bytes,
    chain: Sequence[bytes],
    passphrase: str,
) -> bytes:
    """Return DER PKCS#12.  Raises SignerRefused if certificate and key do not belong together."""
    # Imported on first use: X.509 is the largest part of the library, and the
    # signing path does not need it.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PrivateFormat,
        PublicFormat,
        pkcs12,
    )

    if len(passphrase) < MIN_PASSPHRASE or len(chain) > MAX_CHAIN:
        raise _refused(
            f"a passphrase has {MIN_PASSPHRASE} characters or more, a chain at most {MAX_CHAIN}",
            "pkcs12.input",
        )
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        above = [x509.load_der_x509_certificate(one) for one in chain]
        certified = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        raise _refused("a certificate cannot be read", "pkcs12.certificate") from None
    if certified != spki:
        raise _refused("the certificate certifies another key", "pkcs12.key")
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise _refused("no PKCS#12 reader knows ML-DSA keys yet", "pkcs12.algorithm")
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(passphrase.encode())
    )
    return pkcs12.serialize_key_and_certificates(None, private, leaf, above, encryption)


def _refused(message: str, rule: str) -> SignerRefused:
    return SignerRefused(message, field="certificate", rule=rule)
