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

    def head(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """Status line and the server's own *fields*: another list every second."""
        if fields is not self._stated:
            own = b"".join(b"%b: %b\r\n" % field for field in fields)
            self._stated, self._head = fields, b"HTTP/1.1 200 OK\r\n" + own
        return self._head

    def given(self, asked: "Asked") -> None:
        key = (asked.body is None, asked.segment)
        self._given[key] = self._given.get(key, 0) + 1

    def flush(self) -> None:
        """Tell what was given since the last time."""
        given, self._given = self._given, {}
        for (get, segment), number in given.items():
            self._count("GET" if get else "POST", segment.decode(), number)


@dataclass(slots=True)
class Asked:
    """A request that the lane can take.  *keep*: the connection stays open after its answer."""

    segment: bytes
    target: bytes
    body: bytes | None
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


def read(data: bytes, segments: Mapping[bytes, Quick]) -> Asked | None:
    """The request that *data* is, whole and nothing after it; None if it is for the other road."""
    line = _LINE.match(data)
    if line is None or len(data) > MAX_REQUEST:
        return None
    method, target, segment, minor = line.groups()
    end = data.find(b"\r\n\r\n", line.end() - 2)
    if end < 0 or segment not in segments or b"?" in target or b"#" in target:
        return None
    fields = _fields(data[line.end() - 2 : end + 2])
    if fields is None:
        return None
    said, length, kind = fields
    body = data[end + 4 :]
    fits = not body and not length
    if method == b"POST":
        fits = length == len(body) and kind in (None, _TYPE)
    if not fits or said not in (None, b"keep-alive", b"close"):
        return None
    keep = minor == b"1" and said != b"close"
    return Asked(segment, target, None if method == b"GET" else body, keep)


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
