"""CMP messages protected by a shared secret: PBM (RFC 9810 §5.1.3.1), PBMAC1 (RFC 9481 §6.1).

Both stretch the secret as often as the message says, so the count is bounded
before anything is computed: 2^31 rounds would cost a quarter of an hour.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.wire import der

PBM: Final = "1.2.840.113533.7.66.13"
PBMAC1: Final = "1.2.840.113549.1.5.14"
_PBKDF2: Final = "1.2.840.113549.1.5.12"

MIN_ITERATIONS: Final = 100  # RFC 4211 §4.4
MAX_ITERATIONS: Final = 100_000
MIN_SALT: Final = 8  # octets, RFC 4211 §4.4
MAX_SALT: Final = 128
_KEY_SIZES: Final = range(16, 65)

_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_MACS: Final = {
    "1.3.6.1.5.5.8.1.2": "sha1",  # HMAC-SHA1 as RFC 4210 numbered it, what OpenSSL sends
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
"""Collisions do not help against HMAC, so SHA-1 is sound inside one (RFC 6194 §3.3)."""


class Kind(StrEnum):
    PBM = "pbm"
    PBMAC1 = "pbmac1"


@dataclass(frozen=True, slots=True)
class Method:
    """How a MAC is computed from a secret.  *derivation* and *mac* are names of ``hashlib``."""

    kind: Kind
    salt: bytes
    iterations: int
    derivation: str
    mac: str
    key_size: int = 0

    def key(self, secret: bytes) -> bytes:
        """The MAC's own key: the dear part."""
        if self.kind is Kind.PBMAC1:
            return hashlib.pbkdf2_hmac(
                self.derivation, secret, self.salt, self.iterations, self.key_size
            )
        key = secret + self.salt
        make = getattr(hashlib, self.derivation)
        for _ in range(self.iterations):
            key = make(key).digest()
        return key

    def over(self, key: bytes, data: bytes) -> bytes:
        """The MAC of *data* under what ``key`` returned."""
        return hmac.digest(key, data, self.mac)


def is_mac(identifier: bytes) -> bool:
    """Whether an AlgorithmIdentifier names a protection by a shared secret."""
    return _read(identifier)[0] in (PBM, PBMAC1)


def decode(identifier: bytes) -> Method:
    """Read the AlgorithmIdentifier of such a protection; BadRequest if we do not compute it."""
    oid, parameters = _read(identifier)
    if parameters is None:
        raise _bad("a MAC without parameters", "mac.parameters")
    reader = der.Reader(der.single(parameters, der.SEQUENCE)[1])
    method = _pbm(reader) if oid == PBM else _pbmac1(reader)
    reader.finish()
    if not MIN_SALT <= len(method.salt) <= MAX_SALT:
        raise _bad(
            f"a salt of {len(method.salt)} octets; {MIN_SALT} to {MAX_SALT} are accepted",
            "mac.salt",
        )
    return method


def encode(method: Method) -> bytes:
    """AlgorithmIdentifier, as a client writes it."""
    oids = {name: oid for oid, name in _MACS.items()}
    mac = der.sequence(der.oid(oids[method.mac]), der.NULL)
    salt, count = der.octet_string(method.salt), der.integer(method.iterations)
    if method.kind is Kind.PBM:
        names = {name: oid for oid, name in _HASHES.items()}
        owf = der.sequence(der.oid(names[method.derivation]))
        return der.sequence(der.oid(PBM), der.sequence(salt, owf, count, mac))
    prf = der.sequence(der.oid(oids[method.derivation]), der.NULL)
    derivation = der.sequence(
        der.oid(_PBKDF2), der.sequence(salt, count, der.integer(method.key_size), prf)
    )
    return der.sequence(der.oid(PBMAC1), der.sequence(derivation, mac))


def _pbm(reader: der.Reader) -> Method:
    salt = reader.content(der.OCTET_STRING)
    owf = _named(reader, _HASHES)
    iterations = _iterations(reader)
    return Method(Kind.PBM, salt, iterations, owf, _named(reader, _MACS))


def _pbmac1(reader: der.Reader) -> Method:
    oid, parameters = _read(reader.read(der.SEQUENCE)[2])
    if oid != _PBKDF2 or parameters is None:
        raise _bad(f"a key derivation we do not accept: {oid}", "mac.algorithm")
    inner = der.Reader(der.single(parameters, der.SEQUENCE)[1])
    salt = inner.content(der.OCTET_STRING)
    iterations = _iterations(inner)
    if inner.peek() != der.INTEGER:  # RFC 9579 §5: MUST be there, or the key's size is a guess
        raise _bad("PBMAC1 without the length of its key", "mac.key-size")
    size = der.decode_integer(inner.content(der.INTEGER))
    if size not in _KEY_SIZES:
        raise _bad(f"a MAC key of {size} octets", "mac.key-size")
    derivation = _named(inner, _MACS) if inner else "sha1"
    inner.finish()
    return Method(Kind.PBMAC1, salt, iterations, derivation, _named(reader, _MACS), size)


def _iterations(reader: der.Reader) -> int:
    count = der.decode_integer(reader.content(der.INTEGER))
    if not MIN_ITERATIONS <= count <= MAX_ITERATIONS:
        raise _bad(
            f"an iteration count of {min(count, 2**63)}; "
            f"{MIN_ITERATIONS} to {MAX_ITERATIONS} are accepted",
            "mac.iterations",
        )
    return count


def _named(reader: der.Reader, table: dict[str, str]) -> str:
    oid, parameters = _read(reader.read(der.SEQUENCE)[2])
    if oid not in table or parameters not in (None, der.NULL):
        raise _bad(f"a hash or MAC we do not accept: {oid}", "mac.algorithm")
    return table[oid]


def _read(identifier: bytes) -> tuple[str, bytes | None]:
    reader = der.Reader(der.single(identifier, der.SEQUENCE)[1])
    oid = der.decode_oid(reader.content(der.OID))
    parameters = reader.read()[2] if reader else None
    reader.finish()
    return oid, parameters


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        what,
        field="protection",
        rule=rule,
        remedy="protect with PBM or PBMAC1, SHA-256, HMAC, and 100 to 100,000 iterations",
    )
