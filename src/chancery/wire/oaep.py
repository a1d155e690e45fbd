"""RSA-OAEP's encoding (RFC 8017 §7.1), for tokens that have RSA and not this hash with it."""

import hashlib
import hmac

from chancery.domain.errors import BadRequest

_HASH = "sha256"
_OCTETS = 32


def decode(encoded: bytes) -> bytes:
    """The message in *encoded*, as long as the modulus; SHA-256 twice, no label.

    Raises BadRequest, one for everything, and only once all of it was looked
    at: which part was wrong would open messages (Manger, CRYPTO 2001).
    """
    masked_seed, masked = encoded[1 : 1 + _OCTETS], encoded[1 + _OCTETS :]
    seed = _xor(masked_seed, _mask(masked, _OCTETS))
    block = _xor(masked, _mask(seed, len(masked)))
    good = hmac.compare_digest(block[:_OCTETS], hashlib.new(_HASH).digest())
    good &= encoded[0] == 0
    start = 0
    looking = True
    for at, octet in enumerate(block[_OCTETS:], _OCTETS + 1):
        start += at * (looking & (octet == 1))
        good &= not (looking & (octet > 1))
        looking &= octet == 0
    if not good or looking:
        raise BadRequest("this does not open", field="wrapped", rule="wrap.closed")
    return block[start:]


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 (RFC 8017 §B.2.1)."""
    made = bytearray()
    for counter in range(-(-length // _OCTETS)):
        made += hashlib.new(_HASH, seed + counter.to_bytes(4)).digest()
    return bytes(made[:length])


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
