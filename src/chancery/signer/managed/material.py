"""Octets of keys: how they are made, checked and named."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final, cast

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadKey
from chancery.domain.managed_key import CHECK_OF, Family, KeyFacts, KeyKind
from chancery.signer import keypair

_HASHES: Final = {
    KeyKind.HMAC_SHA256: "sha256",
    KeyKind.HMAC_SHA384: "sha384",
    KeyKind.HMAC_SHA512: "sha512",
}


_WEAK: Final = frozenset(
    bytes(octet & 0xFE for octet in bytes.fromhex(text))
    for text in [
        "0101010101010101",
        "FEFEFEFEFEFEFEFE",
        "E0E0E0E0F1F1F1F1",
        "1F1F1F1F0E0E0E0E",
        "01FE01FE01FE01FE",
        "FE01FE01FE01FE01",
        "1FE01FE00EF10EF1",
        "E01FE01FF10EF10E",
        "01E001E001F101F1",
        "E001E001F101F101",
        "1FFE1FFE0EFE0EFE",
        "FE1FFE1FFE0EFE0E",
        "011F011F010E010E",
        "1F011F010E010E01",
        "E0FEE0FEF1FEF1FE",
        "FEE0FEE0FEF1FEF1",
    ]
)
"""DES keys that encrypt twice to the clear, alone or in pairs (SP 800-67 r2 §3.3.2)."""


def make(kind: KeyKind) -> bytearray:
    """A new key: raw octets, or DER PKCS#8."""
    if not kind.secret:
        return bytearray(keypair.pkcs8(keypair.make(KeyAlgorithm(kind.value))))
    material = bytearray(secrets.token_bytes(kind.octets))
    return odd_parity(material) if kind.family is Family.TDES else material


def odd_parity(material: bytearray) -> bytearray:
    """Set the lowest bit of each octet as DES keys have it (FIPS 46-3)."""
    for at, octet in enumerate(material):
        material[at] = (octet & 0xFE) | ((octet >> 1).bit_count() & 1 ^ 1)
    return material


def pair(kind: KeyKind, material: bytes | bytearray) -> keypair.PrivateKey:
    """The private key in DER PKCS#8.  BadKey if it is no key of *kind*."""
    private, algorithm = keypair.load(material)
    if algorithm.value != kind.value:
        raise _other(kind, f"it is {algorithm.value}")
    return private


def check(kind: KeyKind, material: bytes | bytearray) -> None:
    """Raise BadKey unless *material* is a key of *kind*, and not a weak one."""
    if not kind.secret:
        pair(kind, material)
        return
    if len(material) != kind.octets:
        raise _other(kind, f"it has {len(material)} octets, not {kind.octets}")
    if len(set(material)) < 4:
        raise _other(kind, "its octets repeat themselves")
    if kind.family is Family.TDES:
        bare = [bytes(octet & 0xFE for octet in material[at : at + 8]) for at in (0, 8, 16)]
        if len({part for part in bare if part}) < kind.octets // 8:
            raise _other(kind, "two of its DES keys are the same")
        if _WEAK.intersection(bare):
            raise _other(kind, "one of its DES keys is weak")


def facts(kind: KeyKind, material: bytes | bytearray) -> KeyFacts:
    """What may be known of it."""
    method = CHECK_OF[kind.family]
    if kind.secret:
        return KeyFacts(kind, check_value(kind, material), method)
    spki = keypair.spki(pair(kind, material))
    digest = hashlib.sha256(spki).hexdigest()
    return KeyFacts(kind, digest[:10].upper(), method, spki, digest)


def check_value(kind: KeyKind, material: bytes | bytearray) -> str:
    """Upper-case hex, by the method of the kind's family (``CHECK_OF``); secret keys alone."""
    key = bytes(material)
    if kind.family is Family.TDES:
        return tdes_zero(key).hex().upper()[:6]
    return mac(kind, key, bytes(16))[:5].hex().upper()


def tdes_zero(key: bytes) -> bytes:
    encryptor = Cipher(tdes(key), modes.ECB()).encryptor()  # noqa: S305 - what a check value is
    return encryptor.update(bytes(8))


def tdes(key: bytes) -> TripleDES:
    """Two-key TDES runs as K1 K2 K1."""
    return TripleDES(key if len(key) == 24 else key + key[:8])


def mac(kind: KeyKind, key: bytes, data: bytes) -> bytes:
    """HMAC by the kind's hash, CMAC for ciphers."""
    if kind.family is Family.HMAC:
        return hmac.digest(key, data, _HASHES[kind])
    cipher = algorithms.AES(key) if kind.family is Family.AES else tdes(key)
    made = CMAC(cast("algorithms.AES", cipher))
    made.update(data)
    return made.finalize()


def xor(parts: Iterable[bytes | bytearray]) -> bytearray:
    """All of *parts*, which have one length, together."""
    total = bytearray()
    for part in parts:
        if not total:
            total = bytearray(part)
            continue
        for at, octet in enumerate(part):
            total[at] ^= octet
    return total


def _other(kind: KeyKind, why: str) -> BadKey:
    return BadKey(
        f"this is no good key of kind {kind.value}: {why}",
        field="kind",
        rule="key.material",
        remedy="compare kind and check value with whoever sent it",
    )
