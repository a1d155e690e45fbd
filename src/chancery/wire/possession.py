"""Proof of possession: the signature of a certification request.

Wider than what we sign with ourselves: RSASSA-PSS comes with salts of any
length.  Narrower than what libraries verify: MD5 and SHA-1 prove nothing.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.errors import BadCSR, BadRequest
from chancery.wire import der

_SHA2: Final[dict[str, hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_PSS: Final = "1.2.840.113549.1.1.10"
_MGF1: Final = "1.2.840.113549.1.1.8"
_BROKEN: Final = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.3": "MD4",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.3.14.3.2.29": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
}


@dataclass(frozen=True, slots=True)
class _Scheme:
    """The kind of key that may verify, and what its ``verify`` needs beyond the signature."""

    key: type
    arguments: tuple[object, ...] = ()


_SCHEMES: Final[dict[str, _Scheme]] = {
    "1.2.840.113549.1.1.11": _Scheme(rsa.RSAPublicKey, (padding.PKCS1v15(), hashes.SHA256())),
    "1.2.840.113549.1.1.12": _Scheme(rsa.RSAPublicKey, (padding.PKCS1v15(), hashes.SHA384())),
    "1.2.840.113549.1.1.13": _Scheme(rsa.RSAPublicKey, (padding.PKCS1v15(), hashes.SHA512())),
    "1.2.840.10045.4.3.2": _Scheme(ec.EllipticCurvePublicKey, (ec.ECDSA(hashes.SHA256()),)),
    "1.2.840.10045.4.3.3": _Scheme(ec.EllipticCurvePublicKey, (ec.ECDSA(hashes.SHA384()),)),
    "1.2.840.10045.4.3.4": _Scheme(ec.EllipticCurvePublicKey, (ec.ECDSA(hashes.SHA512()),)),
    "1.3.101.112": _Scheme(ed25519.Ed25519PublicKey),
    "2.16.840.1.101.3.4.3.17": _Scheme(mldsa.MLDSA44PublicKey),
    "2.16.840.1.101.3.4.3.18": _Scheme(mldsa.MLDSA65PublicKey),
    "2.16.840.1.101.3.4.3.19": _Scheme(mldsa.MLDSA87PublicKey),
}


def check(key: PublicKeyTypes, identifier: bytes, signature: bytes, data: bytes) -> None:
    """Raise BadCSR unless *signature* over *data* verifies with *key*.

    *identifier* is the DER AlgorithmIdentifier; ``rule`` is
    ``pop.signature-algorithm`` when it is not acceptable, whatever the
    signature, and ``pop.signature`` when the signature is wrong.
    """
    scheme = _scheme(identifier)
    if not isinstance(key, scheme.key):
        raise _refused("does not belong to the key")
    try:
        cast("Any", key).verify(signature, data, *scheme.arguments)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise BadCSR(
            "the signature of the certificate request does not verify with its own key",
            field="csr",
            rule="pop.signature",
            remedy="sign the request with the private key that belongs to its public key",
        ) from None


@lru_cache(maxsize=256)
def _scheme(identifier: bytes) -> _Scheme:
    try:
        reader = der.Reader(der.single(identifier, der.SEQUENCE)[1])
        oid = der.decode_oid(reader.content(der.OID))
        parameters = reader.read() if reader else None
        reader.finish()
        if oid == _PSS:
            return _pss(parameters[1] if parameters else b"")
    except BadRequest as error:
        raise _refused(f"is malformed: {error}") from error
    if oid in _BROKEN:
        raise _refused(f"uses {_BROKEN[oid]}, which is broken")
    scheme = _SCHEMES.get(oid)
    if scheme is None:
        raise _refused(f"is not supported: {oid}")
    if parameters is not None and parameters[2] != der.NULL:
        raise _refused("carries parameters that it must not have")
    return scheme


def _pss(parameters: bytes) -> _Scheme:
    """RSASSA-PSS-params (RFC 4055 §3.1): every default means SHA-1, so all but the trailer count.

    The mask generation function must use the same hash (§3.1 recommends it).
    """
    reader = der.Reader(parameters)
    method = reader.optional(0xA0)
    mask = reader.optional(0xA1)
    salt = reader.optional(0xA2)
    trailer = reader.optional(0xA3)
    reader.finish()
    if method is None or mask is None:
        raise _refused("uses SHA-1 (the default of RSASSA-PSS), which is broken")
    generator, inner = _identifier(mask)
    digest = _hash(method)
    if generator != _MGF1 or _hash(inner).name != digest.name:
        raise _refused("mixes hashes in RSASSA-PSS")
    if trailer is not None and trailer != der.integer(1):
        raise _refused("has an unknown trailer field")
    length = 20 if salt is None else der.decode_integer(der.single(salt, der.INTEGER)[1])
    if not 0 <= length <= 1024:
        raise _refused("has an impossible salt length")
    return _Scheme(rsa.RSAPublicKey, (padding.PSS(padding.MGF1(digest), length), digest))


def _hash(identifier: bytes) -> hashes.HashAlgorithm:
    oid, parameters = _identifier(identifier)
    if oid not in _SHA2:
        raise _refused("uses a hash other than SHA-256, SHA-384 and SHA-512")
    if parameters not in (b"", der.NULL):
        raise _refused("carries parameters that it must not have")
    return _SHA2[oid]


def _identifier(encoded: bytes) -> tuple[str, bytes]:
    """(OID, DER parameters or nothing) of an AlgorithmIdentifier."""
    reader = der.Reader(der.single(encoded, der.SEQUENCE)[1])
    oid = der.decode_oid(reader.content(der.OID))
    parameters = reader.read()[2] if reader else b""
    reader.finish()
    return oid, parameters


def _refused(why: str) -> BadCSR:
    return BadCSR(
        f"the signature algorithm of the certificate request {why}",
        field="csr",
        rule="pop.signature-algorithm",
        remedy="sign it with RSA or ECDSA and SHA-256 or better, with Ed25519, or with ML-DSA",
    )
