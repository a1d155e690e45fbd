"""SubjectPublicKeyInfo (RFC 5280 §4.1.2.7): one key, one encoding.

Keys are blocked, and renewals recognised, by the hash of this structure.  A
second encoding of the same key would slip past both, so only the encoding
that every RFC prefers is read: rsaEncryption with NULL, named curves with
uncompressed points, and no parameters for the others.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.errors import BadKey, BadRequest
from chancery.wire import algorithms, der

MAX_OCTETS: Final = 4_096
"""RSA with 16 384 bits needs 2 086 octets, ML-DSA-87 2 614."""

_EC: Final = "1.2.840.10045.2.1"
_UNCOMPRESSED: Final = 0x04


def _written(oid: str, parameters: bytes = b"") -> bytes:
    return der.sequence(der.oid(oid), parameters)


_CURVES: Final = frozenset(
    _written(_EC, der.oid(curve))
    for curve in ("1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35")
)
_KINDS: Final = _CURVES | {
    _written("1.2.840.113549.1.1.1", der.NULL),  # RFC 3279 §2.3.1
    _written("1.3.101.112"),  # RFC 8410 §3
    _written("2.16.840.1.101.3.4.3.17"),  # RFC 9881 §4: ML-DSA-44, -65, -87
    _written("2.16.840.1.101.3.4.3.18"),
    _written("2.16.840.1.101.3.4.3.19"),
}


def decode(spki: bytes) -> PublicKeyTypes:
    """Return the key; BadKey if it is of a kind, or in a form, that is not accepted."""
    if len(spki) > MAX_OCTETS:
        raise _bad(f"a public key of {len(spki)} octets", "key.size")
    try:
        reader = der.Reader(der.single(spki, der.SEQUENCE)[1])
        _, _, identifier = reader.read(der.SEQUENCE)
        bits = reader.content(der.BIT_STRING)
        reader.finish()
    except BadRequest as error:
        raise _bad(f"an unreadable public key: {error}", "key.unreadable") from error
    if identifier not in _KINDS:
        raise _bad("a public key of a kind, or with parameters, not accepted here", "key.kind")
    if identifier in _CURVES and bits[1:2] != bytes((_UNCOMPRESSED,)):
        raise _bad("an EC point that is not in uncompressed form", "key.point-form")
    return algorithms.load_key(spki)


def _bad(what: str, rule: str) -> BadKey:
    return BadKey(
        what,
        field="key",
        rule=rule,
        remedy="use an RSA (rsaEncryption), EC P-256, P-384 or P-521, Ed25519 or ML-DSA key",
    )
