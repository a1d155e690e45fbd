"""Private keys under a passphrase: PKCS#8 (PBES2) and PKCS#12, out and in."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
)

from chancery.domain.errors import BadKey, BadRequest
from chancery.domain.managed_key import KeyKind
from chancery.signer import files, keypair
from chancery.signer.managed import material
from chancery.signer.pkcs12 import MIN_PASSPHRASE, ROUNDS

FORMS: Final = ("pkcs8", "pkcs12")
_MAX: Final = 64 * 1024


def pack(form: str, kind: KeyKind, octets: bytearray, passphrase: str, label: str) -> bytes:
    """DER, encrypted with AES-256; the octets are wiped."""
    # Imported on first use: it brings X.509, the largest part of the library.
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415

    if form not in FORMS:
        raise BadRequest(
            f"{form[:40]!r} is no such form", field="form", rule="key.form", remedy="pkcs8, pkcs12"
        )
    if len(passphrase) < MIN_PASSPHRASE:
        raise BadRequest(
            f"a passphrase has {MIN_PASSPHRASE} characters or more",
            field="passphrase",
            rule="pkcs12.input",
        )
    private = material.pair(kind, octets)
    files.wipe(octets)
    word = passphrase.encode()
    if form == "pkcs8":
        return private.private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(word)
        )
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(word)
    )
    named = label.encode() or None
    return pkcs12.serialize_key_and_certificates(
        named,
        private,  # type: ignore[arg-type]  # ML-DSA is in the type and among no managed kind
        None,
        None,
        encryption,
    )


def unpack(packed: bytes, passphrase: str) -> bytearray:
    """DER PKCS#8, from PKCS#8 or PKCS#12 under *passphrase*.  BadKey."""
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415

    word = passphrase.encode()
    try:
        if len(packed) > _MAX or not word:
            raise ValueError
        try:
            key = load_der_private_key(packed, word)
        except (ValueError, TypeError):
            found, _, _ = pkcs12.load_key_and_certificates(packed, word)
            if found is None:
                raise
            key = found
        return bytearray(keypair.pkcs8(key))  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - OpenSSL's errors have many classes
        raise BadKey(
            "no private key comes out: wrong passphrase, or not PKCS#8 or PKCS#12 under one",
            field="packed",
            rule="key.packed",
            remedy="DER, encrypted with a passphrase: openssl pkcs8 -topk8 -outform DER",
        ) from None


def thumbprint(spki: bytes) -> str:
    return "sha256:" + hashlib.sha256(spki).hexdigest()
