"""How each algorithm is asked of a token.  Hashing is done here: a CRL may have 40 MB."""

import ctypes
import hashlib
from collections.abc import Callable
from ctypes import c_ulong, c_void_p
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11.cryptoki import Mechanism, Template
from chancery.wire import der

_HASHES: Final = {
    "sha256": (c.CKM_SHA256, bytes.fromhex("3031300d060960864801650304020105000420")),
    "sha384": (c.CKM_SHA384, bytes.fromhex("3041300d060960864801650304020205000430")),
    "sha512": (c.CKM_SHA512, bytes.fromhex("3051300d060960864801650304020305000440")),
}
"""Each hash as a mechanism, and its DigestInfo up to the hash (RFC 8017 §9.2)."""


class _PssParams(ctypes.Structure):
    _fields_ = (("hash", c_ulong), ("mgf", c_ulong), ("salt", c_ulong))


class _OaepParams(ctypes.Structure):
    _fields_ = (
        ("hash", c_ulong),
        ("mgf", c_ulong),
        ("source", c_ulong),
        ("data", c_void_p),
        ("length", c_ulong),
    )


class _EcdhParams(ctypes.Structure):
    _fields_ = (
        ("kdf", c_ulong),
        ("shared_length", c_ulong),
        ("shared", c_void_p),
        ("public_length", c_ulong),
        ("public", c_void_p),
    )


class GcmParams(ctypes.Structure):
    """CK_GCM_PARAMS of v2.40, which v3.0 kept."""

    _fields_ = (
        ("iv", c_void_p),
        ("iv_length", c_ulong),
        ("iv_bits", c_ulong),
        ("aad", c_void_p),
        ("aad_length", c_ulong),
        ("tag_bits", c_ulong),
    )


@dataclass(frozen=True, slots=True)
class HowToSign:
    """*prepared* of the data is signed with *mechanism*; *finished* of that is the signature."""

    mechanism: Mechanism
    prepared: Callable[[bytes], bytes]
    finished: Callable[[bytes], bytes]


def _as_it_is(data: bytes) -> bytes:
    return data


def _ecdsa_der(signature: bytes) -> bytes:
    """r and s side by side become ECDSA-Sig-Value (RFC 3279 §2.2.3)."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def how_to_sign(algorithm: SignatureAlgorithm) -> HowToSign | None:
    """None where no token mechanism stands for it."""
    if algorithm is SignatureAlgorithm.ED25519:
        return HowToSign(Mechanism.of(c.CKM_EDDSA), _as_it_is, _as_it_is)
    scheme, _, name = algorithm.value.rpartition("-")
    if name not in _HASHES:
        return None
    number, prefix = _HASHES[name]
    new = getattr(hashlib, name)
    if scheme == "ecdsa":
        return HowToSign(Mechanism.of(c.CKM_ECDSA), lambda data: new(data).digest(), _ecdsa_der)
    if scheme == "rsa-pss":
        parameter = _PssParams(number, c.CKG_MGF1[number], new().digest_size)
        mechanism = Mechanism.of(c.CKM_RSA_PKCS_PSS, parameter)
        return HowToSign(mechanism, lambda data: new(data).digest(), _as_it_is)
    return HowToSign(
        Mechanism.of(c.CKM_RSA_PKCS), lambda data: prefix + new(data).digest(), _as_it_is
    )


def oaep(name: str = "sha256") -> Mechanism:
    """RSA-OAEP with one hash for both its uses, and no label."""
    number = c.CKM_SHA_1 if name == "sha1" else _HASHES[name][0]
    parameter = _OaepParams(number, c.CKG_MGF1[number], c.CKZ_DATA_SPECIFIED, None, 0)
    return Mechanism.of(c.CKM_RSA_PKCS_OAEP, parameter)


def ecdh(point: bytes) -> Mechanism:
    """The bare shared secret with the peer whose public point this is."""
    buffer = ctypes.create_string_buffer(point, len(point))
    parameter = _EcdhParams(c.CKD_NULL, 0, None, len(point), ctypes.addressof(buffer))
    mechanism = Mechanism.of(c.CKM_ECDH1_DERIVE, parameter)
    mechanism.keep = (parameter, buffer)
    return mechanism


@dataclass(frozen=True, slots=True)
class HowToMake:
    """*mechanism* makes the pair; *public* and *private* say more of the two."""

    mechanism: Mechanism
    key_type: int
    public: Template


_P256: Final = der.oid("1.2.840.10045.3.1.7")
_P384: Final = der.oid("1.3.132.0.34")
_P521: Final = der.oid("1.3.132.0.35")
_ED25519: Final = der.oid("1.3.101.112")
CURVES: Final = {
    KeyAlgorithm.EC_P256: _P256,
    KeyAlgorithm.EC_P384: _P384,
    KeyAlgorithm.EC_P521: _P521,
    KeyAlgorithm.ED25519: _ED25519,
}


def how_to_make(algorithm: KeyAlgorithm) -> HowToMake | None:
    """None where tokens make no such key."""
    if algorithm.value.startswith("rsa-"):
        bits = int(algorithm.value.partition("-")[2])
        more: Template = {c.CKA_MODULUS_BITS: bits, c.CKA_PUBLIC_EXPONENT: b"\x01\x00\x01"}
        return HowToMake(Mechanism.of(c.CKM_RSA_PKCS_KEY_PAIR_GEN), c.CKK_RSA, more)
    curve = CURVES.get(algorithm)
    if curve is None:
        return None
    if algorithm is KeyAlgorithm.ED25519:
        mechanism = Mechanism.of(c.CKM_EC_EDWARDS_KEY_PAIR_GEN)
        return HowToMake(mechanism, c.CKK_EC_EDWARDS, {c.CKA_EC_PARAMS: curve})
    return HowToMake(Mechanism.of(c.CKM_EC_KEY_PAIR_GEN), c.CKK_EC, {c.CKA_EC_PARAMS: curve})
