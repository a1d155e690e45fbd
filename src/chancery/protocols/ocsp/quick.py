"""Usual OCSP requests, answered inside the HTTP connection: from memory, or without a thread each.

What comes out is the rest of an HTTP answer, after status line and date.
Whatever is not usual is left to ``handler``, which knows a word for everything.
"""

from collections import OrderedDict
from collections.abc import Callable
from email.utils import formatdate
from hashlib import sha1
from typing import Final

from chancery.ports import Clock
from chancery.protocols.ocsp.paths import decode, split
from chancery.services.status.desk import Desk
from chancery.services.status.kept import KeptAnswer
from chancery.wire.ocsp_usual import UsualRequest, take_apart

_PREFIX: Final = b"/ocsp"
_MOST: Final = 10_000
"""HTTP answers kept ready, about 1.5 KiB each."""
_FRESH_S: Final = 30
"""Seconds for which the dates in an answer's header fields stand as they were computed."""

Then = Callable[[bytes | None], None]
"""Called with the rest of the HTTP answer; None: it is for the slow road after all."""


class _Ready:
    __slots__ = ("kept", "octets", "until")

    def __init__(self, octets: bytes, kept: KeptAnswer, until: int) -> None:
        self.octets = octets
        self.kept = kept
        self.until = until


class OcspQuick:
    """Answers ``/ocsp``, ``/ocsp/{ca}`` and GET paths below.  Belongs to the event loop."""

    def __init__(self, desk: Desk, clock: Clock, *, max_age_s: int = 300) -> None:
        self._desk = desk
        self._clock = clock
        self._max_age_s = max_age_s
        self._ready: OrderedDict[bytes, _Ready] = OrderedDict()
        self.from_memory = 0
        """Answers that were ready since the start."""

    def answer(self, target: bytes, body: bytes | None, then: Then) -> bytes | bool:
        """The rest of the HTTP answer; True: *then* is called later; False: not for this road.

        *target* stands as in the request line, *body* is None for GET.
        """
        key = target if body is None else target + b" " + body
        ready = self._ready.get(key)
        if ready is not None:
            now = self._clock.s()
            if now < ready.until and ready.kept.serves(now) and self._desk.current:
                self.from_memory += 1
                return ready.octets
            if not ready.kept.live or now >= ready.until:
                del self._ready[key]
        asked = _asked(target, body)
        if asked is None:
            return False
        name, request = asked

        def come(kept: KeptAnswer | None) -> None:
            then(None if kept is None else self._told(key, request, kept, cached=body is None))

        found = self._desk.ask(name, request, come)
        if isinstance(found, bool):
            return found
        return self._told(key, request, found, cached=body is None)

    def _told(self, key: bytes, request: UsualRequest, kept: KeptAnswer, *, cached: bool) -> bytes:
        if not cached:
            octets = (
                b"content-type: application/ocsp-response\r\ncontent-length: %d\r\n"
                b"cache-control: no-store\r\n\r\n%b" % (len(kept.der), kept.der)
            )
        else:
            octets = self._cacheable(kept)
        if request.nonce is None and kept.live:
            if len(self._ready) >= _MOST:
                self._ready.popitem(last=False)
            self._ready[key] = _Ready(octets, kept, self._clock.s() + _FRESH_S)
        return octets

    def _cacheable(self, kept: KeptAnswer) -> bytes:
        """RFC 5019 §6.2: a cache may keep it, but not beyond nextUpdate."""
        now = self._clock.s()
        age = min(max(kept.next_update - now, 0), self._max_age_s)
        fields = (
            "content-type: application/ocsp-response\r\n"
            f"content-length: {len(kept.der)}\r\n"
            f"last-modified: {formatdate(kept.this_update, usegmt=True)}\r\n"
            f"expires: {formatdate(now + age, usegmt=True)}\r\n"
            f'etag: "{sha1(kept.der, usedforsecurity=False).hexdigest()}"\r\n'
            f"cache-control: max-age={age}, public, no-transform, must-revalidate\r\n\r\n"
        )
        return fields.encode() + kept.der


def _asked(target: bytes, body: bytes | None) -> tuple[str, UsualRequest] | None:
    """Whom, and what; None where it is not usual."""
    label, encoded = split(target[len(_PREFIX) :])
    try:
        octets = decode(encoded) if body is None else body
    except ValueError:
        return None
    if (encoded and body is not None) or not label.isascii():
        return None
    request = take_apart(octets)
    return None if request is None else (label.decode().partition(".")[0], request)
