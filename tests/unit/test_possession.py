"""Signature algorithms of requests: what is accepted, and why the rest is not."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from chancery.domain.errors import BadCSR
from chancery.wire import der, possession

KEY = rsa.generate_private_key(65_537, 2048)
DATA = b"CertificationRequestInfo"
SHA256 = "2.16.840.1.101.3.4.2.1"
SHA512 = "2.16.840.1.101.3.4.2.3"
MGF1 = "1.2.840.113549.1.1.8"


def identifier(oid: str, parameters: bytes = b"") -> bytes:
    return der.sequence(der.oid(oid), parameters)


def pss(
    method: bytes | None = None,
    mask: bytes | None = None,
    salt: bytes = b"\xa2\x03\x02\x01\x20",
    trailer: bytes = b"",
) -> bytes:
    hash_ = identifier(SHA256) if method is None else method
    generator = identifier(MGF1, identifier(SHA256)) if mask is None else mask
    parts = [
        der.explicit(0, hash_) if hash_ else b"",
        der.explicit(1, generator) if generator else b"",
    ]
    return identifier("1.2.840.113549.1.1.10", der.sequence(*parts, salt, trailer))


@pytest.mark.parametrize("parameters", [b"", der.NULL], ids=["absent", "NULL"])
def test_pkcs1_parameters_may_be_absent(parameters: bytes) -> None:
    signature = KEY.sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    possession.check(
        KEY.public_key(), identifier("1.2.840.113549.1.1.11", parameters), signature, DATA
    )


@pytest.mark.parametrize("null", [b"", der.NULL], ids=["absent", "NULL"])
@pytest.mark.parametrize("salt", [0, 20, 32, 222])
@pytest.mark.parametrize("trailer", [b"", b"\xa3\x03\x02\x01\x01"], ids=["default", "written"])
def test_pss_with_any_salt(null: bytes, salt: int, trailer: bytes) -> None:
    method = identifier(SHA256, null)
    made = pss(
        method,
        identifier(MGF1, method),
        b"" if salt == 20 else der.explicit(2, der.integer(salt)),
        trailer,
    )
    signature = KEY.sign(DATA, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    possession.check(KEY.public_key(), made, signature, DATA)


REFUSED: dict[str, tuple[bytes, str]] = {
    "SHA-1 by default": (identifier("1.2.840.113549.1.1.10", b"\x30\x00"), "SHA-1"),
    "no parameters": (identifier("1.2.840.113549.1.1.10"), "SHA-1"),
    "the mask by default": (pss(mask=b""), "SHA-1"),
    "two hashes": (pss(mask=identifier(MGF1, identifier(SHA512))), "mixes"),
    "another mask generator": (pss(mask=identifier("1.2.3", identifier(SHA256))), "mixes"),
    "SHA-224": (pss(method=identifier("2.16.840.1.101.3.4.2.4")), "hash other than"),
    "a hash with parameters": (pss(method=identifier(SHA256, b"\x02\x01\x01")), "parameters"),
    "a negative salt": (pss(salt=b"\xa2\x03\x02\x01\xff"), "impossible salt"),
    "a salt of 1 GB": (pss(salt=b"\xa2\x06\x02\x04\x40\x00\x00\x00"), "impossible salt"),
    "trailer 2": (pss(trailer=b"\xa3\x03\x02\x01\x02"), "trailer"),
    "a fifth parameter": (pss(trailer=b"\xa4\x03\x02\x01\x01"), "malformed"),
    "MD5": (identifier("1.2.840.113549.1.1.4", der.NULL), "MD5"),
    "an unknown algorithm": (identifier("1.2.3.4"), "not supported: 1.2.3.4"),
    "parameters where none belong": (identifier("1.2.840.10045.4.3.2", b"\x02\x01\x01"), "must not have"),
    "an algorithm of another key": (identifier("1.2.840.10045.4.3.2"), "does not belong"),
    "no sequence": (b"\x05\x00", "malformed"),
    "nothing": (b"", "malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("algorithm", "why"), REFUSED.values(), ids=REFUSED)
def test_refuses(algorithm: bytes, why: str) -> None:
    with pytest.raises(BadCSR, match=why) as refused:
        possession.check(KEY.public_key(), algorithm, bytes(256), DATA)
    assert refused.value.rule == "pop.signature-algorithm"


@pytest.mark.parametrize("signature", [b"", bytes(256), bytes(10_000)])
def test_a_wrong_signature(signature: bytes) -> None:
    with pytest.raises(BadCSR) as refused:
        possession.check(
            KEY.public_key(), identifier("1.2.840.113549.1.1.11", der.NULL), signature, DATA
        )
    assert refused.value.rule == "pop.signature"


def test_an_ecdsa_signature_that_is_not_der() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(DATA, ec.ECDSA(hashes.SHA256()))
    algorithm = identifier("1.2.840.10045.4.3.2")
    possession.check(key.public_key(), algorithm, signature, DATA)
    for broken in (signature + b"\x00", signature[:-1], b"\x30\x06\x02\x01\x00\x02\x01\x00"):
        with pytest.raises(BadCSR) as refused:
            possession.check(key.public_key(), algorithm, broken, DATA)
        assert refused.value.rule == "pop.signature"
