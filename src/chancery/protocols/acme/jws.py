"""JSON Web Signature as ACME allows it (RFC 8555 §6.2): flattened JSON, one signature.

Parsing and verifying stand apart: the key may only be found by what was
parsed.  The algorithm must be the key's own, so that no header can turn a
public key into the secret of a MAC, or a signature into none.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire.jwk import PublicKey, SigningKey, from_b64url

MAX_OCTETS: Final = 200_000
"""A JWS around the longest certification request that is read."""

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "EdDSA")
MACS: Final = ("HS256", "HS384", "HS512")
_HASHES: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_CURVES: Final[dict[str, tuple[str, int, hashes.HashAlgorithm]]] = {
    # curve, octets of one number of the signature (RFC 7518 §3.4), hash
    "ES256": ("secp256r1", 32, hashes.SHA256()),
    "ES384": ("secp384r1", 48, hashes.SHA384()),
    "ES512": ("secp521r1", 66, hashes.SHA512()),
}
_HEADERS: Final = frozenset({"alg", "nonce", "url", "jwk", "kid", "typ", "cty"})


@dataclass(frozen=True, slots=True)
class Jws:
    """What a body says, believed by nobody yet.

    Exactly one of *jwk* (its members) and *kid* is there; *nonce* and *url*
    are "" where the header lacks them.
    """

    algorithm: str
    nonce: str
    url: str
    jwk: Mapping[str, object] | None
    kid: str | None
    payload: bytes
    signed: bytes
    signature: bytes


def parse(body: bytes) -> Jws:
    """Read the body of a request; BadRequest says what is wrong with it."""
    if len(body) > MAX_OCTETS:
        raise TooLarge(f"more than {MAX_OCTETS} octets", field="body", rule="acme.size")
    return read(loads(body, "body"))


def read(outer: object) -> Jws:
    """Read a JWS that was JSON already: a body, or one inside a payload."""
    if not isinstance(outer, dict) or outer.keys() != {"protected", "payload", "signature"}:
        raise _bad("a JWS has protected, payload and signature, and nothing else", "acme.jws")
    protected = _part(outer, "protected")
    payload, signature = _part(outer, "payload"), _part(outer, "signature")
    header = loads(protected, "protected")
    if not isinstance(header, dict):
        raise _bad("the protected header is no object", "acme.jws.header")
    if strange := header.keys() - _HEADERS:
        # b64 and crit would change what is verified; nothing else means anything here.
        raise _bad(f"the header member {min(strange)[:40]!r}", "acme.jws.header")
    jwk, kid = header.get("jwk"), header.get("kid")
    if (jwk is None) == (kid is None):
        raise _bad("exactly one of jwk and kid stands in the header", "acme.jws.key")
    if jwk is not None and not isinstance(jwk, dict):
        raise _bad("the member jwk is no object", "acme.jws.key")
    return Jws(
        algorithm=_text(header, "alg"),
        nonce=_text(header, "nonce"),
        url=_text(header, "url"),
        jwk=jwk,
        kid=_text(header, "kid") if kid is not None else None,
        payload=payload,
        signed=f"{outer['protected']}.{outer['payload']}".encode(),
        signature=signature,
    )


def verify(jws: Jws, key: SigningKey) -> None:
    """Raise BadRequest unless *key* made the signature, by an algorithm of its own kind."""
    _refuse_algorithm(jws.algorithm, ALGORITHMS)
    try:
        sound = _verified(jws, key.public)
    except InvalidSignature:
        sound = False
    if not sound:
        raise _bad("the signature does not verify with that key", "acme.signature")


def verify_mac(jws: Jws, secret: bytes) -> bool:
    """Whether *secret* made the MAC (external account binding, RFC 8555 §7.3.4)."""
    _refuse_algorithm(jws.algorithm, MACS)
    expected = hmac.digest(secret, jws.signed, _HASHES[jws.algorithm])
    return hmac.compare_digest(expected, jws.signature)


def _verified(jws: Jws, key: PublicKey) -> bool:
    if jws.algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey):
        key.verify(jws.signature, jws.signed, padding.PKCS1v15(), hashes.SHA256())
        return True
    if jws.algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(jws.signature, jws.signed)
        return True
    if jws.algorithm in _CURVES and isinstance(key, ec.EllipticCurvePublicKey):
        curve, size, digest = _CURVES[jws.algorithm]
        if key.curve.name != curve or len(jws.signature) != 2 * size:
            return False
        r, s = int.from_bytes(jws.signature[:size]), int.from_bytes(jws.signature[size:])
        key.verify(encode_dss_signature(r, s), jws.signed, ec.ECDSA(digest))
        return True
    return False


def loads(data: bytes, field: str) -> Any:
    """JSON without what two readers would understand differently: doubled names, NaN."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else "not sound JSON"
        raise BadRequest(
            f"the {field} is {reason}", field=field, rule="acme.json", remedy="send plain JSON"
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _constant(word: str) -> Any:
    raise ValueError(word)


def _part(outer: Mapping[str, object], name: str) -> bytes:
    data = from_b64url(outer[name], most=MAX_OCTETS)
    if data is None:
        raise _bad(f"{name} is no base64url without padding", "acme.jws")
    return data


def _text(header: Mapping[str, object], name: str) -> str:
    value = header.get(name, "")
    if not isinstance(value, str) or len(value) > 1_000:
        raise _bad(f"the header member {name} is no text", "acme.jws.header")
    return value


def _refuse_algorithm(given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise BadRequest(
            f"the algorithm {given[:40]!r} is not accepted here",
            field="alg",
            rule="acme.algorithm",
            remedy="use one of: " + ", ".join(allowed),
        )


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(what, field="body", rule=rule, remedy="RFC 8555 §6.2 says what is accepted")
