"""HTTP Digest (RFC 7616), as far as EST needs it: SHA-256, and MD5 for who cannot do better.

The connection is TLS, so a nonce need only be ours and fresh: what it was
used for before is not remembered, and any node can check it.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest

FRESH_S: Final = 300
_SKEW_S: Final = 5  # between the clocks of nodes
_TIME: Final = 8  # octets
_MAC: Final = 16
_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_PARAMETER: Final = re.compile(
    r"\s*([A-Za-z0-9*_-]{1,32})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",]+))\s*(?:,|$)"
)
_MAX: Final = 4_096  # characters of an Authorization field
_NEEDED: Final = ("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce")


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client sent in its Authorization field."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    nc: str
    cnonce: str


def read(text: str) -> Presented:
    """Read the parameters after ``Digest``.  BadRequest, also for a parameter given twice."""
    found: dict[str, str] = {}
    at = 0
    if len(text) > _MAX:
        raise _bad("it is too long")
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise _bad("it is malformed")
        name, quoted, token = match.groups()
        if name.lower() in found:
            raise _bad(f"{name} stands there twice")
        found[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
        at = match.end()
    if missing := [name for name in _NEEDED if name not in found]:
        raise _bad(f"{missing[0]} is missing")
    algorithm = found.get("algorithm", "MD5")  # RFC 7616 §3.4
    if algorithm not in _HASHES or found["qop"] != "auth":
        raise _bad("an algorithm or quality of protection that was not offered")
    return Presented(
        found["username"],
        found["realm"],
        found["nonce"],
        found["uri"],
        found["response"].lower(),
        algorithm,
        found["nc"],
        found["cnonce"],
    )


def proves(presented: Presented, password: bytes, method: str) -> bool:
    """Whether whoever sent it knows *password* (RFC 7616 §3.4.1)."""
    digest = _HASHES[presented.algorithm]
    who = f"{presented.username}:{presented.realm}:".encode()
    secret = digest(who + password)
    asked = digest(f"{method}:{presented.uri}".encode())
    bound = f"{secret}:{presented.nonce}:{presented.nc}:{presented.cnonce}:auth:{asked}"
    expected = digest(bound.encode())
    return hmac.compare_digest(expected.encode(), presented.response.encode("utf-8", "replace"))


def challenge(realm: str, nonce: str, algorithm: str, *, stale: bool) -> str:
    """The value of a WWW-Authenticate field."""
    told = ", stale=true" if stale else ""
    return (
        f'Digest realm="{realm}", qop="auth", algorithm={algorithm}, nonce="{nonce}", '
        f"charset=UTF-8{told}"
    )


class Nonces:
    """Nonces that carry their time, and prove that they are ours.

    *mac* keys a hash with a secret that every node of an instance has.
    """

    def __init__(self, mac: Callable[[bytes], bytes]) -> None:
        self._mac = mac

    def make(self, now: int) -> str:
        moment = now.to_bytes(_TIME)
        return urlsafe_b64encode(moment + self._mac(moment)[:_MAC]).decode()

    def fresh(self, nonce: str, now: int) -> bool:
        """Whether it was made here in the last five minutes."""
        try:
            octets = urlsafe_b64decode(nonce.encode("ascii"))
        except ValueError:
            return False
        made = int.from_bytes(octets[:_TIME])
        # The time is believed only if what follows it is ours.
        ours = len(octets) == _TIME + _MAC and hmac.compare_digest(
            self._mac(octets[:_TIME])[:_MAC], octets[_TIME:]
        )
        return ours and -_SKEW_S <= now - made <= FRESH_S


def _bad(why: str) -> BadRequest:
    return BadRequest(
        f"the Authorization field cannot be read: {why}",
        field="authorization",
        rule="est.authorization",
        remedy="send one Digest answer to the challenge, with qop auth",
    )
