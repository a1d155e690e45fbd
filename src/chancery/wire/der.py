"""DER (X.690 §10), the part that PKIX uses: a fast writer and a strict, bounded reader.

Writers return the bytes of one complete value.  The reader accepts nothing
but DER: definite, minimal lengths and low tag numbers, and it raises
BadRequest for everything else.
"""

import calendar
import time as clock
from functools import lru_cache
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.name_syntax import is_oid

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL_TAG: Final = 0x05
OID: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONTEXT: Final = 0x80
CONSTRUCTED: Final = 0x20

NULL: Final = b"\x05\x00"
_2050: Final = 2_524_608_000  # 2050-01-01T00:00:00Z
_YEAR_10000: Final = 253_402_300_800
_MAX_OID: Final = 64  # octets of content; the longest in use have about 40


def _length(size: int) -> bytes:
    octets = size.to_bytes((size.bit_length() + 7) >> 3)
    return bytes((0x80 | len(octets),)) + octets


def tlv(tag: int, content: bytes) -> bytes:
    """One value: identifier octet, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    if size < 0x10000:
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
    return bytes((tag,)) + _length(size) + content


def head(tag: int, size: int) -> bytes:
    """Identifier octet and length of a value of *size* octets: for what is not copied lightly."""
    return bytes((tag, size)) if size < 0x80 else bytes((tag,)) + _length(size)


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of complete values."""
    return tlv(SEQUENCE, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """SET OF complete values, in the order DER demands (X.690 §11.6)."""
    return tlv(SET, b"".join(sorted(parts)))


def integer(value: int) -> bytes:
    """INTEGER, two's complement in the fewest octets."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(INTEGER, value.to_bytes(size, signed=True))


def boolean(*, value: bool) -> bytes:
    """BOOLEAN; DER writes TRUE as FF."""
    return b"\x01\x01\xff" if value else b"\x01\x01\x00"


def octet_string(content: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(OCTET_STRING, content)


def bit_string(content: bytes, unused: int = 0) -> bytes:
    """BIT STRING; *unused* counts the zero bits at the end of the last octet."""
    return tlv(BIT_STRING, bytes((unused,)) + content)


def named_bits(positions: tuple[int, ...]) -> bytes:
    """BIT STRING with a named bit list: bit 0 first, no trailing zeros (X.690 §11.2.2)."""
    if not positions:
        return bit_string(b"")
    size = max(positions) // 8 + 1
    content = bytearray(size)
    for position in positions:
        content[position // 8] |= 0x80 >> (position % 8)
    return bit_string(bytes(content), size * 8 - 1 - max(positions))


def explicit(number: int, content: bytes) -> bytes:
    """[number] EXPLICIT around complete values."""
    return tlv(CONTEXT | CONSTRUCTED | number, content)


def implicit(number: int, content: bytes, *, constructed: bool = False) -> bytes:
    """[number] IMPLICIT: *content* without the tag it replaces."""
    return tlv(CONTEXT | (CONSTRUCTED if constructed else 0) | number, content)


@lru_cache(maxsize=4096)
def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from dotted decimal; BadRequest if it is not one."""
    if is_oid(dotted):
        first, second, *rest = map(int, dotted.split("."))
        content = b"".join(map(_base128, (first * 40 + second, *rest)))
        if len(content) <= _MAX_OID:
            return tlv(OID, content)
    raise BadRequest(
        f"not an object identifier: {dotted[:80]!r}",
        field="oid",
        rule="der.oid",
        remedy="write it in dotted decimal, like 1.3.6.1.5.5.7.3.1",
    )


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))


@lru_cache(maxsize=4096)
def time(unix_seconds: int) -> bytes:
    """UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5)."""
    if not 0 <= unix_seconds < _YEAR_10000:
        raise BadRequest(
            "a certificate cannot express this time",
            field="validity",
            rule="der.time",
            remedy="choose a time from 1970 to 9999",
        )
    moment = clock.gmtime(unix_seconds)
    if unix_seconds < _2050:
        return tlv(UTC_TIME, clock.strftime("%y%m%d%H%M%SZ", moment).encode())
    return tlv(GENERALIZED_TIME, clock.strftime("%Y%m%d%H%M%SZ", moment).encode())


def _malformed(what: str, rule: str = "der.malformed") -> BadRequest:
    return BadRequest(
        f"not valid DER: {what}",
        field="der",
        rule=rule,
        remedy="send the unmodified output of the program that made it",
    )


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Read one header: (tag, start of the content, end of the content), all below *end*."""
    if end - at < 2:
        raise _malformed("it ends inside a header")
    tag, size = data[at], data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise _malformed("a tag number above 30")
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or end - at < count:
            raise _malformed("an indefinite, oversized or cut length")
        size = int.from_bytes(data[at : at + count])
        if size < 0x80 or size < 1 << (8 * count - 8):
            raise _malformed("a length that is not minimal")
        at += count
    if size > end - at:
        raise _malformed("a value that ends after its container")
    return tag, at, at + size


def _unexpected(tag: int, expected: int) -> BadRequest:
    return _malformed(f"tag {tag:#04x} where {expected:#04x} belongs", "der.unexpected-tag")


class Reader:
    """Values one after another, none reaching outside *data*."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < self._end

    def peek(self) -> int | None:
        """The next tag, or None at the end."""
        return self._data[self._at] if self._at < self._end else None

    def read(self, expected: int | None = None) -> tuple[int, bytes, bytes]:
        """Take the next value as (tag, content, the whole encoding)."""
        data, at = self._data, self._at
        tag, start, end = header(data, at, self._end)
        if expected is not None and tag != expected:
            raise _unexpected(tag, expected)
        self._at = end
        return tag, data[start:end], data[at:end]

    def content(self, expected: int) -> bytes:
        """Take the content of the next value, which must have this tag."""
        tag, start, end = header(self._data, self._at, self._end)
        if tag != expected:
            raise _unexpected(tag, expected)
        self._at = end
        return self._data[start:end]

    def enter(self, expected: int) -> "Reader":
        """Take the next value and read inside it."""
        return Reader(self.content(expected))

    def optional(self, tag: int) -> bytes | None:
        """Take the content of the next value if it has this tag."""
        return self.content(tag) if self.peek() == tag else None

    def finish(self) -> None:
        """Insist that nothing is left."""
        if self._at < self._end:
            raise _malformed("octets after the last value", "der.trailing")


def single(data: bytes, expected: int | None = None) -> tuple[int, bytes]:
    """Read *data* as exactly one value: (tag, content)."""
    size = len(data)
    tag, start, end = header(data, 0, size)
    if expected is not None and tag != expected:
        raise _unexpected(tag, expected)
    if end != size:
        raise _malformed("octets after the last value", "der.trailing")
    return tag, data[start:end]


def decode_integer(content: bytes) -> int:
    """Value of an INTEGER's content."""
    if not content:
        raise _malformed("an empty INTEGER")
    if len(content) > 1 and content[0] in (0x00, 0xFF) and (content[0] ^ content[1]) < 0x80:
        raise _malformed("an INTEGER that is not minimal")
    return int.from_bytes(content, signed=True)


def decode_boolean(content: bytes) -> bool:
    """Value of a BOOLEAN's content."""
    if content not in (b"\x00", b"\xff"):
        raise _malformed("a BOOLEAN other than 00 and FF")
    return content == b"\xff"


def decode_bit_string(content: bytes) -> tuple[bytes, int]:
    """(octets, number of unused bits) of a BIT STRING's content."""
    if not content or content[0] > 7 or (content[0] and len(content) == 1):
        raise _malformed("a BIT STRING without a proper count of unused bits")
    unused = content[0]
    if unused and content[-1] & ((1 << unused) - 1):
        raise _malformed("unused bits of a BIT STRING that are not zero")
    return content[1:], unused


def decode_named_bits(content: bytes) -> tuple[int, ...]:
    """Positions set in a named bit list, ascending."""
    octets, unused = decode_bit_string(content)
    if octets and not octets[-1] >> unused & 1:
        raise _malformed("trailing zeros in a named bit list")
    return tuple(i for i in range(len(octets) * 8) if octets[i // 8] & (0x80 >> (i % 8)))


@lru_cache(maxsize=4096)
def decode_oid(content: bytes) -> str:
    """Dotted decimal of an OBJECT IDENTIFIER's content."""
    if not content or len(content) > _MAX_OID or content[-1] & 0x80:
        raise _malformed("an OBJECT IDENTIFIER that is empty, too long or cut")
    arcs: list[int] = []
    value, fresh = 0, True
    for octet in content:
        if fresh and octet == 0x80:
            raise _malformed("an OBJECT IDENTIFIER that is not minimal")
        value = value << 7 | octet & 0x7F
        fresh = octet < 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def decode_time(tag: int, content: bytes) -> int:
    """Unix seconds of a UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 writes them."""
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise _malformed("a time that is not ASCII") from None
    if tag == UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME or len(text) != 15:
        raise _malformed("a time in an unknown form")
    if not (text[:14].isdigit() and text[14] == "Z"):
        raise _malformed("a time that is not YYYYMMDDHHMMSSZ")
    try:
        return calendar.timegm(clock.strptime(text, "%Y%m%d%H%M%SZ"))
    except ValueError:
        raise _malformed("a time that does not exist") from None
