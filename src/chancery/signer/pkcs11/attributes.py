"""What our keys are on a token: templates, and the public key out of its attributes."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadRequest
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import mechanisms
from chancery.signer.pkcs11.cryptoki import Template
from chancery.signer.pkcs11.session import Session
from chancery.wire import der

_CURVES: Final = {
    KeyAlgorithm.EC_P256: ec.SECP256R1(),
    KeyAlgorithm.EC_P384: ec.SECP384R1(),
    KeyAlgorithm.EC_P521: ec.SECP521R1(),
}
_EDWARDS: Final = (
    mechanisms.CURVES[KeyAlgorithm.ED25519],
    der.tlv(der.PRINTABLE_STRING, b"edwards25519"),
)
_ED25519: Final = 32
FLAGS: Final = {
    c.CKA_SENSITIVE: "sensitive",
    c.CKA_ALWAYS_SENSITIVE: "always sensitive",
    c.CKA_EXTRACTABLE: "extractable",
    c.CKA_NEVER_EXTRACTABLE: "never extractable",
    c.CKA_LOCAL: "made on the token",
    c.CKA_SIGN: "sign",
    c.CKA_DECRYPT: "decrypt",
    c.CKA_UNWRAP: "unwrap",
    c.CKA_DERIVE: "derive",
    c.CKA_WRAP: "wrap",
    c.CKA_ENCRYPT: "encrypt",
}
"""Attributes that are shown of a key, by the words for them."""


def signing_only(label: str, key_id: bytes, *, lasting: bool = True) -> Template:
    """A private key that signs, does nothing else, and never leaves."""
    return {
        c.CKA_TOKEN: lasting,
        c.CKA_PRIVATE: True,
        c.CKA_SENSITIVE: True,
        c.CKA_EXTRACTABLE: False,
        c.CKA_SIGN: True,
        c.CKA_DECRYPT: False,
        c.CKA_UNWRAP: False,
        c.CKA_DERIVE: False,
        c.CKA_LABEL: label,
        c.CKA_ID: key_id,
    }


def public_half(label: str, key_id: bytes, *, lasting: bool = True) -> Template:
    return {
        c.CKA_TOKEN: lasting,
        c.CKA_PRIVATE: False,
        c.CKA_VERIFY: True,
        c.CKA_ENCRYPT: False,
        c.CKA_WRAP: False,
        c.CKA_LABEL: label,
        c.CKA_ID: key_id,
    }


def read_public(session: Session, handle: int) -> tuple[KeyAlgorithm, bytes] | None:
    """(algorithm, DER SubjectPublicKeyInfo) of a public or RSA private key; None for others."""
    if session.number(handle, c.CKA_KEY_TYPE) == c.CKK_RSA:
        modulus = session.read(handle, c.CKA_MODULUS)
        exponent = session.read(handle, c.CKA_PUBLIC_EXPONENT)
        return _rsa(modulus, exponent) if modulus and exponent else None
    parameters = session.read(handle, c.CKA_EC_PARAMS)
    point = session.read(handle, c.CKA_EC_POINT)
    return _curve(parameters, point) if parameters and point else None


def _rsa(modulus: bytes, exponent: bytes) -> tuple[KeyAlgorithm, bytes] | None:
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
    name = f"rsa-{numbers.n.bit_length()}"
    if name not in tuple(KeyAlgorithm):
        return None
    return KeyAlgorithm(name), _spki(numbers.public_key())


def _curve(parameters: bytes, point: bytes) -> tuple[KeyAlgorithm, bytes] | None:
    raw = _point(point)
    for algorithm, curve in _CURVES.items():
        if parameters == mechanisms.CURVES[algorithm]:
            return algorithm, _spki(ec.EllipticCurvePublicKey.from_encoded_point(curve, raw))
    if parameters in _EDWARDS and len(raw) == _ED25519:
        return KeyAlgorithm.ED25519, _spki(ed25519.Ed25519PublicKey.from_public_bytes(raw))
    return None


def _point(value: bytes) -> bytes:
    """CKA_EC_POINT is an OCTET STRING around the point; some tokens give the bare point."""
    try:
        _, content = der.single(value, der.OCTET_STRING)
    except BadRequest:
        return value
    return bytes(content)


def _spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
