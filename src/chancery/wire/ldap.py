"""LDAP messages (RFC 4511): the few that a sign-in and publication need.  No I/O.

Requests go out in DER.  Answers are read as the BER that RFC 4511 §5.1 allows,
because directories use its freedom: Active Directory writes every length in
four octets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import der

MAX_MESSAGE: Final = 1024 * 1024  # octets; an entry's attributes are chosen, so it stays small
START_TLS: Final = "1.3.6.1.4.1.1466.20037"

_APPLICATION: Final = 0x40
_BIND: Final = _APPLICATION | der.CONSTRUCTED | 0
_UNBIND: Final = _APPLICATION | 2
_SEARCH: Final = _APPLICATION | der.CONSTRUCTED | 3
_MODIFY: Final = _APPLICATION | der.CONSTRUCTED | 6
_EXTENDED: Final = _APPLICATION | der.CONSTRUCTED | 23
_REPLACE: Final = b"\x02"
_VERSION: Final = 3


class Scope(IntEnum):
    BASE = 0
    SUBTREE = 2


class Answer(IntEnum):
    """Tags of the answers that are told apart."""

    BIND = 0x61
    ENTRY = 0x64
    DONE = 0x65
    MODIFY = 0x67
    REFERENCE = 0x73
    EXTENDED = 0x78


class Code(IntEnum):
    """Result codes (RFC 4511 §A.1) that mean something of their own here."""

    SUCCESS = 0
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    CONSTRAINT_VIOLATION = 19
    NO_SUCH_OBJECT = 32
    INVALID_DN = 34
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS = 50
    UNWILLING = 53


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; attribute names in lower case and without options, values as they came."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Message:
    """One answer.  *code* and *text* are those of its result, *entry* that of a search."""

    id: int
    kind: int
    code: int = 0
    text: str = ""
    entry: Entry | None = None


def bind(number: int, dn: str, password: str) -> bytes:
    """A simple bind."""
    credentials = der.implicit(0, password.encode())
    return _message(number, _BIND, der.integer(_VERSION) + _text(dn) + credentials)


def unbind(number: int) -> bytes:
    return _message(number, _UNBIND, b"")


def start_tls(number: int) -> bytes:
    return _message(number, _EXTENDED, der.implicit(0, START_TLS.encode()))


def search(
    number: int,
    base: str,
    scope: Scope,
    condition: bytes,
    attributes: Sequence[str],
    *,
    size_limit: int,
    time_limit_s: int,
) -> bytes:
    """A search; *condition* is an encoded filter (``wire.ldap_filter``).  Aliases stay aliases."""
    content = (
        _text(base)
        + der.tlv(der.ENUMERATED, bytes((scope,)))
        + der.tlv(der.ENUMERATED, b"\x00")  # neverDerefAliases
        + der.integer(size_limit)
        + der.integer(time_limit_s)
        + der.boolean(value=False)  # values too, not only their names
        + condition
        + der.sequence(*map(_text, attributes))
    )
    return _message(number, _SEARCH, content)


def replace(number: int, dn: str, attribute: str, values: Sequence[bytes]) -> bytes:
    """Put *values* in the place of those an attribute has (RFC 4511 §4.6); none removes it."""
    change = der.sequence(
        der.tlv(der.ENUMERATED, _REPLACE),
        der.sequence(_text(attribute), der.tlv(der.SET, b"".join(map(der.octet_string, values)))),
    )
    return _message(number, _MODIFY, _text(dn) + der.sequence(change))


def size_of(data: bytes | bytearray) -> int | None:
    """Octets of the first message in *data*; None: too few have come to tell.

    BadRequest if no LDAP message begins so, TooLarge above ``MAX_MESSAGE``.
    """
    if len(data) < 2:
        return None
    if data[0] != der.SEQUENCE:
        raise _bad("no LDAP message")
    first = data[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4:
        raise _bad("a length that LDAP does not allow")
    if len(data) < 2 + count:
        return None
    size = 2 + count + int.from_bytes(data[2 : 2 + count])
    if size > MAX_MESSAGE:
        raise TooLarge(f"an LDAP message of {size} octets", rule="ldap.size")
    return size


def decode(data: bytes) -> Message:
    """Read one whole message; BadRequest for anything else."""
    outer = _Reader(data)
    fields = _Reader(outer.take(der.SEQUENCE))
    outer.end()
    number = _small(fields.take(der.INTEGER))
    kind, content = fields.any()  # controls may follow: none was asked for
    inner = _Reader(content)
    if kind == Answer.ENTRY:
        return Message(number, kind, entry=_entry(inner))
    if kind == Answer.REFERENCE:
        return Message(number, kind)
    if kind in (Answer.BIND, Answer.DONE, Answer.EXTENDED, Answer.MODIFY):
        code = _small(inner.take(der.ENUMERATED))
        inner.take(der.OCTET_STRING)  # matchedDN
        return Message(number, kind, code, inner.take(der.OCTET_STRING).decode("utf-8", "replace"))
    raise _bad(f"an LDAP answer of kind {kind:#x}")


def _entry(reader: "_Reader") -> Entry:
    dn = _utf8(reader.take(der.OCTET_STRING))
    found: dict[str, tuple[bytes, ...]] = {}
    rows = _Reader(reader.take(der.SEQUENCE))
    while rows.more:
        row = _Reader(rows.take(der.SEQUENCE))
        name = _utf8(row.take(der.OCTET_STRING)).partition(";")[0].lower()
        values = _Reader(row.take(der.SET))
        read = []
        while values.more:
            read.append(values.take(der.OCTET_STRING))
        found[name] = (*found.get(name, ()), *read)
    return Entry(dn, found)


class _Reader:
    """Consecutive BER values of definite length."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def more(self) -> bool:
        return self._position < len(self._data)

    def any(self) -> tuple[int, bytes]:
        """Return the next value's tag and content."""
        data, start = self._data, self._position
        head = data[start : start + 2]
        if len(head) < 2 or head[0] & 0x1F == 0x1F:
            raise _bad("a value that ends early")
        size, start = head[1], start + 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or start + count > len(data):
                raise _bad("a length that LDAP does not allow")
            size, start = int.from_bytes(data[start : start + count]), start + count
        if start + size > len(data):
            raise _bad("a value that ends early")
        self._position = start + size
        return head[0], data[start : self._position]

    def take(self, tag: int) -> bytes:
        found, content = self.any()
        if found != tag:
            raise _bad(f"the tag {found:#x} where {tag:#x} belongs")
        return content

    def end(self) -> None:
        if self.more:
            raise _bad("something after the message")


def _message(number: int, kind: int, content: bytes) -> bytes:
    return der.sequence(der.integer(number), der.tlv(kind, content))


def _text(value: str) -> bytes:
    return der.octet_string(value.encode())


def _utf8(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise _bad("a name that is not UTF-8") from None


def _small(octets: bytes) -> int:
    """A number of at most 31 bits (RFC 4511 §4.1.1.1)."""
    if not 1 <= len(octets) <= 4 or octets[0] & 0x80:
        raise _bad("a number out of bounds")
    return int.from_bytes(octets)


def _bad(why: str) -> BadRequest:
    return BadRequest(f"the directory sent {why}", rule="ldap.message")
