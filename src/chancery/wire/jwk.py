"""JSON Web Keys (RFC 7517, 7518 §6, 8037): the public ones that sign.

Members in, key out.  One key has one thumbprint (RFC 7638), whatever else
its document says, because that is what names an account.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain import key_quality
from chancery.domain.errors import BadKey

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

MAX_RSA: Final = 8_192
"""Bits: verifying must cost about the same for everybody."""
_MAX_MEMBER: Final = 2_048  # characters
_CURVES: Final[dict[str, tuple[ec.EllipticCurve, int]]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key that signs JWS.

    *canonical* is its JSON of required members (RFC 7638 §3.3), *thumbprint*
    the base64url SHA-256 of that, *key_sha256* hex over its SubjectPublicKeyInfo.
    """

    public: PublicKey
    canonical: str
    thumbprint: str
    key_sha256: str


def decode(members: Mapping[str, object]) -> SigningKey:
    """Read a JWK; BadKey if it is of another kind, private, malformed or weak."""
    if _PRIVATE & members.keys():
        raise _bad("a private or symmetric key", "send the public members alone, and change keys")
    kind = members.get("kty")
    if kind == "EC":
        return _ec(members)
    if kind == "RSA":
        return _rsa(members)
    if kind == "OKP":
        return _okp(members)
    raise _bad(f"keys of type {str(kind)[:40]!r} are not accepted", "use RSA, EC or OKP")


def recall(canonical: str) -> SigningKey:
    """The key whose *canonical* form was put on record."""
    return decode(json.loads(canonical))


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text: object, *, most: int) -> bytes | None:
    """The octets; None for anything but canonical base64url without padding."""
    if not isinstance(text, str) or len(text) > most or not text.isascii() or "=" in text:
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if b64url(data) == text else None


def _ec(members: Mapping[str, object]) -> SigningKey:
    name = members.get("crv")
    curve, size = _CURVES.get(name if isinstance(name, str) else "", (None, 0))
    if curve is None:
        raise _bad(f"the curve {str(name)[:40]!r} is not supported", "use P-256, P-384 or P-521")
    x, y = _octets(members, "x"), _octets(members, "y")
    if len(x) != size or len(y) != size:
        raise _bad("a coordinate of the wrong length", "RFC 7518 §6.2.1.2 says how long")
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y)
    except ValueError:
        raise _bad("a point that is not on its curve", "make another key") from None
    return _finish(public, {"crv": str(name), "kty": "EC", "x": b64url(x), "y": b64url(y)})


def _rsa(members: Mapping[str, object]) -> SigningKey:
    n, e = _octets(members, "n"), _octets(members, "e")
    if n[:1] == b"\0" or e[:1] == b"\0" or len(e) > 8:
        raise _bad("an integer that is not minimal, or too long", "RFC 7518 §6.3.1 says how")
    modulus = int.from_bytes(n)
    if modulus.bit_length() > MAX_RSA:
        raise _bad(f"an RSA key of {modulus.bit_length()} bits", f"use at most {MAX_RSA} bits")
    try:
        public = rsa.RSAPublicNumbers(int.from_bytes(e), modulus).public_key()
    except ValueError:
        raise _bad("numbers that are no RSA key", "make another key") from None
    return _finish(public, {"e": b64url(e), "kty": "RSA", "n": b64url(n)})


def _okp(members: Mapping[str, object]) -> SigningKey:
    if members.get("crv") != "Ed25519":
        raise _bad("an OKP key that is not Ed25519", "use Ed25519")
    x = _octets(members, "x")
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(x)
    except ValueError:
        raise _bad("octets that are no Ed25519 key", "make another key") from None
    return _finish(public, {"crv": "Ed25519", "kty": "OKP", "x": b64url(x)})


def _finish(public: PublicKey, required: dict[str, str]) -> SigningKey:
    key_quality.check(public)
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(
        public=public,
        canonical=canonical,
        thumbprint=b64url(hashlib.sha256(canonical.encode()).digest()),
        key_sha256=hashlib.sha256(spki).hexdigest(),
    )


def _octets(members: Mapping[str, object], name: str) -> bytes:
    data = from_b64url(members.get(name), most=_MAX_MEMBER)
    if not data:
        raise _bad(f"the member {name} is no base64url", "send it as RFC 7518 §6 has it")
    return data


def _bad(what: str, remedy: str) -> BadKey:
    return BadKey(what, field="jwk", rule="acme.key", remedy=remedy)
