"""A set of serials in about 22 bits each: a Golomb-coded set (as in BIP 158).

Each serial is hashed to a number below N times 2^P; the numbers are sorted,
and their differences written in Golomb-Rice code.  A serial of the set is
always found; one that is not, once in 2^P times, by mistake: who makes the set
knows all serials there are and lists those.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from chancery.domain.errors import BadRequest

P: Final = 20
"""Bits: one mistake in about a million."""

MOST: Final = 1 << 27  # entries


@dataclass(frozen=True, slots=True)
class SerialSet:
    """*salt* keeps the sets of two issuers apart; *numbers* are sorted."""

    salt: bytes
    numbers: Sequence[int]

    @classmethod
    def of(cls, salt: bytes, serials: Iterable[str]) -> "SerialSet":
        known = list(set(serials))
        return cls(salt, sorted(_number(salt, serial, len(known)) for serial in known))

    def __contains__(self, serial: object) -> bool:
        if not self.numbers or not isinstance(serial, str):
            return False
        wanted = _number(self.salt, serial, len(self.numbers))
        at = bisect_left(self.numbers, wanted)
        return at < len(self.numbers) and self.numbers[at] == wanted

    def encode(self) -> bytes:
        """The numbers in Golomb-Rice code, the last octet filled with zero bits."""
        parts = []
        before = 0
        for number in self.numbers:
            quotient, remainder = divmod(number - before, 1 << P)
            parts.append(f"{'1' * quotient}0{remainder:0{P}b}")
            before = number
        bits = "".join(parts)
        if not bits:
            return b""
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8)


def decode(salt: bytes, data: bytes, count: int) -> SerialSet:
    """Undo ``SerialSet.encode``; BadRequest if *data* does not hold *count* numbers."""
    if not 0 <= count <= MOST or len(data) * 8 < count * (P + 1):
        raise _bad()
    bits = f"{int.from_bytes(data):0{len(data) * 8}b}" if data else ""
    steps = []
    at = 0
    for _ in range(count):
        stop = bits.find("0", at)
        if stop < 0 or stop + 1 + P > len(bits):
            raise _bad()
        steps.append((stop - at << P) + int(bits[stop + 1 : stop + 1 + P], 2))
        at = stop + 1 + P
    if len(bits) - at > 7 or "1" in bits[at:]:
        raise _bad()
    return SerialSet(salt, list(accumulate(steps)))


def _number(salt: bytes, serial: str, count: int) -> int:
    digest = hashlib.sha256(salt + serial.encode()).digest()
    return int.from_bytes(digest[:8]) * (count << P) >> 64


def _bad() -> BadRequest:
    return BadRequest("a damaged set of serials", field="snapshot", rule="snapshot.filter")
