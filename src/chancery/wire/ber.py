"""BER (X.690 §8) as clients in the field write it: a lenient, bounded reader.

What DER forbids and this reader takes: lengths that are not minimal,
indefinite lengths, and octet strings in pieces.  Nothing here recurses, and
each header that is read comes out of one budget for the whole message, so the
cost is bounded whatever the nesting says.
"""

from typing import Final

from chancery.domain.errors import BadRequest
from chancery.wire import der

MAX_DEPTH: Final = 24
"""Indefinite lengths inside one another; CMS around a certificate needs 16 at most."""
MAX_VALUES: Final = 20_000
"""Headers read in one message: a 64 KiB request with 200 names in it has about 1,500."""

_INDEFINITE: Final = 0x80
_NO_CONTENT: Final = 0
_STRING: Final = der.OCTET_STRING
_PIECES: Final = der.OCTET_STRING | der.CONSTRUCTED


class Budget:
    """How many headers may still be read."""

    __slots__ = ("left",)

    def __init__(self, values: int = MAX_VALUES) -> None:
        self.left = values

    def spend(self) -> None:
        """One more; BadRequest when there were too many."""
        self.left -= 1
        if self.left < 0:
            raise malformed("too many values", "ber.values")


def malformed(what: str, rule: str = "ber.malformed") -> BadRequest:
    """The error for octets that are not BER, or more of it than is read."""
    return BadRequest(
        f"not readable BER: {what}",
        field="message",
        rule=rule,
        remedy="send the unmodified output of the program that made it",
    )


def header(data: bytes, at: int, end: int, budget: Budget) -> tuple[int, int, int, int]:
    """Read one header: (tag, start of the content, its end, start of what follows)."""
    tag, start, size = _head(data, at, end, budget)
    if size is not None:
        return tag, start, start + size, start + size
    stop = _end_of_contents(data, start, end, budget)
    return tag, start, stop, stop + 2


def _head(data: bytes, at: int, end: int, budget: Budget) -> tuple[int, int, int | None]:
    """(tag, start of the content, its length or None if that is indefinite)."""
    budget.spend()
    if end - at < 2:
        raise malformed("it ends inside a header")
    tag, size = data[at], data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise malformed("a tag number above 30")
    if size == _INDEFINITE:
        if not tag & der.CONSTRUCTED:
            raise malformed("an indefinite length without parts")
        return tag, at, None
    if size > _INDEFINITE:
        count = size & 0x7F
        if count > 8 or end - at < count:
            raise malformed("an oversized or cut length")
        size = int.from_bytes(data[at : at + count])
        at += count
    if size > end - at:
        raise malformed("a value that ends after its container")
    return tag, at, size


def _end_of_contents(data: bytes, at: int, end: int, budget: Budget) -> int:
    """Where the end-of-contents octets of an indefinite length stand."""
    depth = 1
    while True:
        here = at
        tag, at, size = _head(data, at, end, budget)
        if tag == _NO_CONTENT:
            if size != 0:
                raise malformed("end-of-contents octets that are none")
            depth -= 1
            if not depth:
                return here
        elif size is None:
            depth += 1
            if depth > MAX_DEPTH:
                raise malformed("nested too deeply", "ber.depth")
        else:
            at += size


class Reader:
    """Values one after another, none reaching outside *data*."""

    __slots__ = ("_at", "_data", "budget")

    def __init__(self, data: bytes, budget: Budget | None = None) -> None:
        self._data = data
        self._at = 0
        self.budget = Budget() if budget is None else budget

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def peek(self) -> int | None:
        """The next tag, or None at the end."""
        return self._data[self._at] if self else None

    def read(self, *expected: int) -> tuple[int, bytes, bytes]:
        """Take the next value: (tag, content, the whole encoding)."""
        tag, start, end, after = header(self._data, self._at, len(self._data), self.budget)
        if expected and tag not in expected:
            wanted = ", ".join(f"{one:#04x}" for one in expected)
            raise malformed(f"tag {tag:#04x} where {wanted} belongs", "ber.unexpected-tag")
        raw = self._data[self._at : after]
        self._at = after
        return tag, self._data[start:end], raw

    def content(self, *expected: int) -> bytes:
        """Take the content of the next value, which must have one of these tags."""
        return self.read(*expected)[1]

    def raw(self, *expected: int) -> bytes:
        """Take the whole next value."""
        return self.read(*expected)[2]

    def enter(self, *expected: int) -> "Reader":
        """Take the next value and read inside it."""
        return Reader(self.content(*expected), self.budget)

    def optional(self, tag: int) -> "Reader | None":
        """Take the next value and read inside it, if it has this tag."""
        return self.enter(tag) if self.peek() == tag else None

    def octets(self, tag: int = _STRING) -> bytes:
        """Take an OCTET STRING, whole or in pieces; *tag* is its primitive one if IMPLICIT."""
        found, content, _ = self.read(tag, tag | der.CONSTRUCTED)
        return content if found == tag else _joined(Reader(content, self.budget))

    def finish(self) -> None:
        """Insist that nothing is left."""
        if self:
            raise malformed("octets after the last value", "ber.trailing")


def _joined(pieces: Reader) -> bytes:
    parts: list[bytes] = []
    open_now = [pieces]
    while open_now:
        if not open_now[-1]:
            open_now.pop()
            continue
        tag, content, _ = open_now[-1].read(_STRING, _PIECES)
        if tag == _STRING:
            parts.append(content)
        elif len(open_now) < MAX_DEPTH:
            open_now.append(Reader(content, pieces.budget))
        else:
            raise malformed("nested too deeply", "ber.depth")
    return b"".join(parts)


def single(data: bytes, *expected: int, budget: Budget | None = None) -> Reader:
    """Read *data* as exactly one value, and inside it; zero octets after it are forgiven."""
    reader = Reader(data, budget)
    inside = reader.enter(*expected)
    if data[reader._at :].strip(b"\0\r\n"):
        raise malformed("octets after the last value", "ber.trailing")
    return inside
