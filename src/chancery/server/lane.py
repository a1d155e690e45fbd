"""The fast lane of a connection: small whole requests for what needs no framework.

A request that came in one piece, with nothing unusual in its head, is read
here and asked of a ``Quick``, or given to ``Submissions``; everything else,
also whatever is wrong, goes to the HTTP parser as it came.  Strict where two
readers could differ: a proxy in front must see the same requests as we do.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
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


OK: Final = b"200 OK"
Tell = Callable[[bytes, bytes], None]
"""Told an answer, from its first header field on, and its status: ``201 Created``."""


class Submissions(Protocol):
    """Takes certificate requests of clients with a bearer token.  Called on the event loop."""

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called before the first request."""
        ...

    def take(self, token: bytes, origin: str, body: bytes, tell: Tell) -> bool:
        """Say whether this is for the fast lane; if so, *tell* is called later, once.

        *token* is the SHA-256 of the bearer token, *origin* the client's address.
        """
        ...


SUBMISSIONS: Final = b"/api/v1/requests"
_KNOWN: Final = 4_096  # heads of requests remembered
_KNOWN_OCTETS: Final = 1_024  # of one

Count = Callable[[str, str, int], None]
"""Told now and then of answers given: method, first segment of the path, how many."""


class Lane:
    """*quick* by the first segment of the path.  One for all connections of a process."""

    def __init__(
        self,
        quick: Mapping[bytes, Quick],
        count: Count,
        submissions: Submissions | None = None,
    ) -> None:
        self.quick = quick
        self.submissions = submissions
        self._count = count
        self._given: dict[tuple[bool, bytes], int] = {}
        self._stated: object = None
        self._own = b""
        self._heads: dict[bytes, Head] = {}

    def read(self, data: bytes) -> "tuple[Head, bytes | None] | None":
        """The request that *data* is, whole and nothing after it; None: for the other road.

        A client says the same head again and again: it is read once.
        """
        end = data.find(b"\r\n\r\n") + 4
        octets = data[:end]
        submitted = self.submissions is not None and octets.startswith(_SUBMIT)
        # A submission's head holds a token, which is not to stay in memory.
        known = sha256(octets).digest() if submitted else octets
        head = self._heads.get(known)
        if head is None:
            if end < 4 or len(data) > MAX_REQUEST:
                return None
            head = _submission(octets) if submitted else _head(octets, self.quick)
            if head is None:
                return None
            if end <= _KNOWN_OCTETS:
                if len(self._heads) >= _KNOWN:
                    self._heads.clear()
                self._heads[known] = head
        if len(data) - end != head.length:
            return None
        return head, data[end:] if head.post else None

    def submitted(self, head: "Head", body: bytes, client: str, tell: Tell) -> bool:
        """Hand a submission on; False: it is for the other road."""
        if self.submissions is None or head.token is None:
            return False
        return self.submissions.take(head.token, client, body, tell)

    def head(self, status: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
        """Status line and the server's own *fields*: another list every second."""
        if fields is not self._stated:
            self._stated = fields
            self._own = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"HTTP/1.1 %b\r\n%b" % (status, self._own)

    def given(self, head: "Head") -> None:
        if head.token is not None:
            return  # ``Submissions`` counts its answers by itself
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

    *keep*: the connection stays open after its answer.  *token*: the SHA-256
    of a submission's bearer token; None for whatever is not a submission.
    """

    segment: bytes
    target: bytes
    post: bool
    length: int
    keep: bool
    token: bytes | None = None


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
_SUBMIT: Final = b"POST %b HTTP/1.1\r\n" % SUBMISSIONS
_BEARER: Final = re.compile(rb"\nauthorization:[ \t]*bearer ([!-~]+)[ \t]*\r", re.IGNORECASE)
_MORE: Final = re.compile(rb"\n(?:authorization|idempotency-key|proof-of-work)", re.IGNORECASE)


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


def _submission(octets: bytes) -> Head | None:
    """The same for a POST of a certificate request by somebody with a token."""
    rest = octets[len(_SUBMIT) - 2 : -2]
    fields, bearer = _fields(rest), _BEARER.search(rest)
    if fields is None or bearer is None or len(_MORE.findall(rest)) != 1:
        return None
    said, length, kind = fields
    if length is None or kind not in (None, b"application/json"):
        return None
    if said not in (None, b"keep-alive", b"close"):
        return None
    token = sha256(bearer[1]).digest()
    return Head(b"api", SUBMISSIONS, post=True, length=length, keep=said != b"close", token=token)


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
