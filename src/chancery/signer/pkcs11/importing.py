"""Taking a key in: wrapped for the token where it can unwrap, else attribute by attribute.

Wrapped, it passes the module's interface under a fresh AES key, and that under
a fresh RSA key of the token: what devices in FIPS mode insist on.
"""

import secrets
from contextlib import suppress
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from chancery.domain.algorithms import KeyAlgorithm, key_family
from chancery.domain.errors import BadKey
from chancery.signer import keypair
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import mechanisms
from chancery.signer.pkcs11.attributes import read_public
from chancery.signer.pkcs11.cryptoki import Mechanism, Template, TokenError, Value
from chancery.signer.pkcs11.session import Session
from chancery.wire import der

_KWP: Final = (c.CKM_AES_KEY_WRAP_KWP, c.CKM_AES_KEY_WRAP_PAD)
"""RFC 5649: the number of v3.0, and the one that SoftHSM and others used before."""


def bring(session: Session, private: keypair.PrivateKey, template: Template) -> int:
    """Put *private* on the token with the attributes of *template*; the handle of it.

    Raises BadKey for a kind that tokens do not hold, TokenError where neither way is open.
    """
    more = _material(private)
    kind: dict[int, Value] = {
        c.CKA_CLASS: c.CKO_PRIVATE_KEY,
        c.CKA_KEY_TYPE: more[c.CKA_KEY_TYPE],
    }
    with suppress(TokenError):  # if the token itself is gone, the next call says so, too
        return _unwrapped(session, private, kind | dict(template))
    return session.create(kind | dict(template) | more)


def _unwrapped(session: Session, private: keypair.PrivateKey, template: Template) -> int:
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    wrapping = secrets.token_bytes(32)
    aes = carried(
        session, wrapping, {c.CKA_KEY_TYPE: c.CKK_AES, c.CKA_UNWRAP: True, c.CKA_TOKEN: False}
    )
    wrapped = aes_key_wrap_with_padding(wrapping, pkcs8)
    try:
        return _either(session, aes, wrapped, template)
    finally:
        session.destroy(aes)


def _either(session: Session, aes: int, wrapped: bytes, template: Template) -> int:
    with suppress(TokenError):
        return session.unwrap(Mechanism.of(_KWP[0]), aes, wrapped, template)
    return session.unwrap(Mechanism.of(_KWP[1]), aes, wrapped, template)


def carried(session: Session, secret: bytes, template: Template) -> int:
    """Bring a symmetric key in under a fresh RSA key of the token (OAEP): its handle."""
    public, private = session.generate_pair(
        Mechanism.of(c.CKM_RSA_PKCS_KEY_PAIR_GEN),
        {
            c.CKA_TOKEN: False,
            c.CKA_WRAP: True,
            c.CKA_MODULUS_BITS: 2048,
            c.CKA_PUBLIC_EXPONENT: b"\x01\x00\x01",
        },
        {c.CKA_TOKEN: False, c.CKA_UNWRAP: True, c.CKA_SENSITIVE: True, c.CKA_EXTRACTABLE: False},
    )
    try:
        found = read_public(session, public)
        assert found is not None
        assert found[0] is KeyAlgorithm.RSA_2048
        key = load_der_public_key(found[1])
        assert isinstance(key, rsa.RSAPublicKey)
        # SHA-1 is what OAEP needs no collision resistance of, and what every token offers.
        digest = hashes.SHA1()  # noqa: S303
        under = key.encrypt(secret, padding.OAEP(padding.MGF1(digest), digest, None))
        wanted: dict[int, Value] = {
            c.CKA_CLASS: c.CKO_SECRET_KEY,
            c.CKA_SENSITIVE: True,
            c.CKA_EXTRACTABLE: False,
        }
        return session.unwrap(mechanisms.oaep("sha1"), private, under, wanted | dict(template))
    finally:
        for handle in (public, private):
            session.destroy(handle)


def publish(session: Session, spki: bytes, template: Template) -> int:
    """Put the public key in DER *spki* on the token: its handle."""
    public = load_der_public_key(spki)
    kind: dict[int, Value] = {c.CKA_CLASS: c.CKO_PUBLIC_KEY}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        parts = {c.CKA_MODULUS: numbers.n, c.CKA_PUBLIC_EXPONENT: numbers.e}
        more: dict[int, Value] = {c.CKA_KEY_TYPE: c.CKK_RSA}
        more |= {part: n.to_bytes((n.bit_length() + 7) // 8) for part, n in parts.items()}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        more = _curve(KeyAlgorithm(key_family(public)), c.CKK_EC, point)
    else:
        point = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        more = _curve(KeyAlgorithm.ED25519, c.CKK_EC_EDWARDS, point)
    return session.create(kind | dict(template) | more)


def _curve(algorithm: KeyAlgorithm, kind: int, point: bytes) -> dict[int, Value]:
    return {
        c.CKA_KEY_TYPE: kind,
        c.CKA_EC_PARAMS: mechanisms.CURVES[algorithm],
        c.CKA_EC_POINT: der.tlv(der.OCTET_STRING, point),
    }


def _material(private: keypair.PrivateKey) -> dict[int, Value]:
    if isinstance(private, rsa.RSAPrivateKey):
        return _rsa(private)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        size = (private.curve.key_size + 7) // 8
        name = keypair.load(keypair.pkcs8(private))[1]
        return {
            c.CKA_KEY_TYPE: c.CKK_EC,
            c.CKA_EC_PARAMS: mechanisms.CURVES[name],
            c.CKA_VALUE: private.private_numbers().private_value.to_bytes(size),
        }
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return {
            c.CKA_KEY_TYPE: c.CKK_EC_EDWARDS,
            c.CKA_EC_PARAMS: mechanisms.CURVES[KeyAlgorithm.ED25519],
            c.CKA_VALUE: private.private_bytes_raw(),
        }
    raise BadKey("no token holds such a key", field="pkcs8", rule="vault.mechanism")


def _rsa(private: rsa.RSAPrivateKey) -> dict[int, Value]:
    numbers = private.private_numbers()
    parts = {
        c.CKA_MODULUS: numbers.public_numbers.n,
        c.CKA_PUBLIC_EXPONENT: numbers.public_numbers.e,
        c.CKA_PRIVATE_EXPONENT: numbers.d,
        c.CKA_PRIME_1: numbers.p,
        c.CKA_PRIME_2: numbers.q,
        c.CKA_EXPONENT_1: numbers.dmp1,
        c.CKA_EXPONENT_2: numbers.dmq1,
        c.CKA_COEFFICIENT: numbers.iqmp,
    }
    made: dict[int, Value] = {c.CKA_KEY_TYPE: c.CKK_RSA}
    return made | {kind: n.to_bytes((n.bit_length() + 7) // 8) for kind, n in parts.items()}
