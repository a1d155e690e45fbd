"""CSR attributes of EST (RFC 7030 §4.5.2, RFC 8951 §3.4, RFC 9908): what a request should hold.

Two forms of the same, one after the other: the template of RFC 9908 §3.4, and
the attributes that older clients read.  A client that knows the template
ignores the rest (RFC 9908 §3.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.names import DistinguishedName
from chancery.domain.profile import KeyUsage
from chancery.wire import der, extensions
from chancery.wire.names import encode_name

REQUEST_INFO_TEMPLATE: Final = "1.2.840.113549.1.9.16.2.61"
EXTENSION_TEMPLATE: Final = "1.2.840.113549.1.9.16.2.62"
EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
CHALLENGE_PASSWORD: Final = "1.2.840.113549.1.9.7"  # noqa: S105 - an OID

_RSA: Final = "1.2.840.113549.1.1.1"
_EC: Final = "1.2.840.10045.2.1"
_CURVES: Final = {
    "ec-p256": "1.2.840.10045.3.1.7",
    "ec-p384": "1.3.132.0.34",
    "ec-p521": "1.3.132.0.35",
}
_BARE: Final = {
    "ed25519": "1.3.101.112",
    "ml-dsa-44": "2.16.840.1.101.3.4.3.17",
    "ml-dsa-65": "2.16.840.1.101.3.4.3.18",
    "ml-dsa-87": "2.16.840.1.101.3.4.3.19",
}
_SIGNATURES: Final = {  # what RFC 7030 §4.5.2 shows beside the key: how to sign the request
    "ec-p256": "1.2.840.10045.4.3.2",
    "ec-p384": "1.2.840.10045.4.3.3",
    "ec-p521": "1.2.840.10045.4.3.4",
}
_SHA256_RSA: Final = "1.2.840.113549.1.1.11"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request should hold.

    *subject*: (attribute OID, its fixed value or None for the client's own),
    in order; None where the client is free.  *key*: our name of an algorithm,
    ``rsa`` for any size; None where several will do.  *fixed*: Extension
    values as they will stand in the certificate.  *open*: OIDs of extensions
    whose value the client fills in.
    """

    subject: tuple[tuple[str, DistinguishedName | None], ...] | None = None
    key: str | None = None
    fixed: tuple[bytes, ...] = ()
    open: tuple[str, ...] = ()
    challenge: bool = False


def encode(wanted: Wanted) -> bytes:
    """DER CsrAttrs."""
    items = [_attribute(REQUEST_INFO_TEMPLATE, _template(wanted))]
    if wanted.challenge:
        items.append(der.oid(CHALLENGE_PASSWORD))
    items += _older_key(wanted.key)
    if wanted.fixed:
        items.append(_attribute(EXTENSION_REQUEST, der.sequence(*wanted.fixed)))
    return der.sequence(*items)


def usages(
    key_usage: Sequence[KeyUsage], purposes: Sequence[str], *, critical: bool
) -> tuple[bytes, ...]:
    """The Extension values of a profile that a client may well put into its request."""
    found: list[bytes] = []
    if key_usage:
        found.append(extensions.key_usage(key_usage, critical=critical))
    if purposes:
        found.append(extensions.extended_key_usage(purposes, critical=False))
    return tuple(found)


def _attribute(oid: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(*values))


def _template(wanted: Wanted) -> bytes:
    """CertificationRequestInfoTemplate, RFC 9908 §3.4."""
    parts = [der.integer(0)]
    if wanted.subject is not None:
        parts.append(der.sequence(*(_rdn(oid, fixed) for oid, fixed in wanted.subject)))
    if (key := _key(wanted.key)) is not None:
        parts.append(der.implicit(0, key, constructed=True))
    parts.append(der.implicit(1, _extensions(wanted), constructed=True))
    return der.sequence(*parts)


def _rdn(oid: str, fixed: DistinguishedName | None) -> bytes:
    """RelativeDistinguishedNameTemplate: where the value is left out, it is the client's."""
    if fixed is not None:  # one RDN: what a Name of it holds is that SET
        return der.single(encode_name(fixed), der.SEQUENCE)[1]
    return der.set_of(der.sequence(der.oid(oid)))


def _key(name: str | None) -> bytes | None:
    """The content of a SubjectPublicKeyInfoTemplate."""
    if name is None:
        return None
    if name in _CURVES:
        return der.sequence(der.oid(_EC), der.oid(_CURVES[name]))
    if name in _BARE:
        return der.sequence(der.oid(_BARE[name]))
    algorithm = der.sequence(der.oid(_RSA), der.NULL)
    size = _rsa_bits(name)
    if size is None:
        return algorithm
    # Only its length counts: RFC 9908 §3.4 lets a placeholder of it stand for the key.
    modulus = der.sequence(der.integer((1 << size) - 1), der.integer(65537))
    return algorithm + der.bit_string(modulus)


def _rsa_bits(name: str) -> int | None:
    family, _, size = name.partition("-")
    return int(size) if family == "rsa" and size.isdigit() else None


def _extensions(wanted: Wanted) -> bytes:
    """The attributes of the template: one, with every extension, or none."""
    wide = [der.sequence(der.oid(oid)) for oid in wanted.open]
    if not wide and not wanted.fixed:
        return b""
    if not wide:  # no value is left out, so the plain attribute says it (RFC 9908 §3.4)
        return _attribute(EXTENSION_REQUEST, der.sequence(*wanted.fixed))
    return _attribute(EXTENSION_TEMPLATE, der.sequence(*wanted.fixed, *wide))


def _older_key(name: str | None) -> list[bytes]:
    if name is None:
        return []
    if name in _CURVES:
        signed = der.oid(_SIGNATURES[name])
        return [_attribute(_EC, der.oid(_CURVES[name])), signed]
    if name in _BARE:
        return [der.oid(_BARE[name])]
    size = _rsa_bits(name)
    kind = der.oid(_RSA) if size is None else _attribute(_RSA, der.integer(size))
    return [kind, der.oid(_SHA256_RSA)]
