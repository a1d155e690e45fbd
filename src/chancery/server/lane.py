"""The fast lane of a connection: small whole requests for what needs no framework.

A request that came in one piece, with nothing unusual in its head, is read
here and asked of a ``Quick``; everything else, also whatever is wrong, goes to
the HTTP parser as it came.  Strict where two readers could differ: a proxy in
front must see the same requests as we do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

MAX_REQUEST: Final = 8 * 1024  # octets, head and body

Then = Callable[[bytes | None], None]


class Quick(Protocol):
    """Answers some requests at once, or without a thread each.  Called on the event loop."""

    def answer(self, target: bytes, body: bytes | None, then: Then) -> bytes | bool:
        """The rest of a 200 answer, from its first header field on.

        True: *then* is called later on the event loop, with that or with None
        for "not for this road"; False says the latter at once.  *target* stands
        as in the request line; *body* is None for GET.
        """
        ...


_KNOWN: Final = 4_096  # heads of requests remembered
_KNOWN_OCTETS: Final = 1_024  # of one

Count = Callable[[str, str, int], None]
"""Told now and then of answers given: method, first segment of the path, how many."""


class Lane:
    """*quick* by the first segment of the path.  One for all connections of a process."""

    def __init__(self, quick: Mapping[bytes, Quick], count: Count) -> None:
        self.quick = quick
        self._count = count
        self._given: dict[tuple[bool, bytes], int] = {}
        self._stated: object = None
        self._head = b""
        self._heads: dict[bytes, Head] = {}

    def read(self, data: bytes) -> "tuple[Head, bytes | None] | None":
        """The request that *data* is, whole and nothing after it; None: for the other road.

        A client says the same head again and again: it is read once.
        """
        end = data.find(b"\r\n\r\n") + 4
        octets = data[:end]
        head = self._heads.get(octets)
        if head is None:
            if end < 4 or len(data) > MAX_REQUEST or (head := _head(octets, self.quick)) is None:
                return None
            if end <= _KNOWN_OCTETS:
                if len(self._heads) >= _KNOWN:
                    self._heads.clear()
                self._heads[octets] = head
        if len(data) - end != head.length:
            return None
        return head, data[end:] if head.post else None

    def head(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """Status line and the server's own *fields*: another list every second."""
        if fields is not self._stated:
            own = b"".join(b"%b: %b\r\n" % field for field in fields)
            self._stated, self._head = fields, b"HTTP/1.1 200 OK\r\n" + own
        return self._head

    def given(self, head: "Head") -> None:
        key = (not head.post, head.segment)
        self._given[key] = self._given.get(key, 0) + 1

    def flush(self) -> None:
        """Tell what was given since the last time."""
        given, self._given = self._given, {}
        for (get, segment), number in given.items():
            self._count("GET" if get else "POST", segment.decode(), number)


@dataclass(frozen=True, slots=True)
class Head:
    """Of a request that the lane can take; *length* is its body's, in octets.

    *keep*: the connection stays open after its answer.
    """

    segment: bytes
    target: bytes
    post: bool
    length: int
    keep: bool


_LINE: Final = re.compile(rb"(GET|POST) (/([a-z]+)(?:/[!-~]*)?) HTTP/1\.([01])\r\n")
_ODD: Final = re.compile(
    rb"\n(?:transfer-encoding|expect|upgrade|if-|range|te|trailer|proxy-|[ \t]|content-length[^:]"
    rb"|content-encoding|http2-settings)",
    re.IGNORECASE,
)
_FIELD: Final = re.compile(
    rb"\n(?P<name>connection|content-length|content-type):[ \t]*(?P<value>[^\r\n]*?)[ \t]*\r",
    re.IGNORECASE,
)
_TYPE: Final = b"application/ocsp-request"


def _head(octets: bytes, segments: Mapping[bytes, Quick]) -> Head | None:
    """Read *octets*, which end in an empty line; None if the request is for the other road."""
    line = _LINE.match(octets)
    if line is None:
        return None
    method, target, segment, minor = line.groups()
    if segment not in segments or b"?" in target or b"#" in target:
        return None
    fields = _fields(octets[line.end() - 2 : -2])
    if fields is None:
        return None
    said, length, kind = fields
    post = method == b"POST"
    fits = (length is not None and kind in (None, _TYPE)) if post else not length
    if not fits or said not in (None, b"keep-alive", b"close"):
        return None
    keep = minor == b"1" and said != b"close"
    return Head(segment, target, post, length or 0, keep)


_Fields = tuple[bytes | None, int | None, bytes | None]


def _fields(head: bytes) -> _Fields | None:
    """Connection, Content-Length and Content-Type; None where anything is unusual."""
    if _ODD.search(head) or head.count(b"\r") != head.count(b"\n") or b"\0" in head:
        return None
    fields = _FIELD.findall(head)
    found: dict[bytes, bytes] = {name.lower(): value.lower() for name, value in fields}
    if len(found) != len(fields):
        return None
    length = found.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) < 6):
        return None
    return (
        found.get(b"connection"),
        None if length is None else int(length),
        found.get(b"content-type"),
    )
