"""SubjectPublicKeyInfo: one key, one encoding."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain.errors import BadKey
from chancery.wire import der, spki

KEYS: dict[str, PublicKeyTypes] = {
    "rsa": rsa.generate_private_key(65_537, 2048).public_key(),
    "p256": ec.generate_private_key(ec.SECP256R1()).public_key(),
    "p384": ec.generate_private_key(ec.SECP384R1()).public_key(),
    "p521": ec.generate_private_key(ec.SECP521R1()).public_key(),
    "ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate().public_key(),
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate().public_key(),
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate().public_key(),
}


def encoded(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_reads_the_preferred_encoding(key: PublicKeyTypes) -> None:
    assert spki.decode(encoded(key)) == key


P256 = encoded(KEYS["p256"])
RSA = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL)
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "key.unreadable"),
    "cut": (P256[:-1], "key.unreadable"),
    "a tail": (P256 + b"\x00", "key.unreadable"),
    "a tail inside": (der.sequence(P256[2:], der.NULL), "key.unreadable"),
    "5 KB": (bytes(5_000), "key.size"),
    "rsaEncryption without NULL": (
        der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1")), der.bit_string(b"")),
        "key.kind",
    ),
    "an RSA key with a padded modulus": (
        der.sequence(RSA, der.bit_string(der.sequence(b"\x02\x03\x00\x00\x23", b"\x02\x01\x03"))),
        "key.unreadable",
    ),
    "an RSA key with a tail": (
        der.sequence(RSA, der.bit_string(der.sequence(der.integer(35), der.integer(3)) + b"\x00")),
        "key.unreadable",
    ),
    "unused bits": (P256[:24] + b"\x01" + P256[25:], "key.unreadable"),
    "an unknown algorithm": (
        der.sequence(der.sequence(der.oid("1.2.3")), der.bit_string(b"x")),
        "key.kind",
    ),
    "X25519": (
        der.sequence(der.sequence(der.oid("1.3.101.110")), der.bit_string(bytes(32))),
        "key.kind",
    ),
    "the hybrid form of a point": (P256[:26] + b"\x06" + P256[27:], "key.point-form"),
}


@pytest.mark.parametrize(("data", "rule"), REFUSED.values(), ids=REFUSED)
def test_refuses(data: bytes, rule: str) -> None:
    with pytest.raises(BadKey) as refused:
        spki.decode(data)
    assert refused.value.field == "key"
    assert refused.value.rule == rule
