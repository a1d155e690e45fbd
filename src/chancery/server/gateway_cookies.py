"""The cookies of sessions that were opened through a gateway: worth nothing anywhere else.

What a gateway and the browsers behind it hold is the session's cookie, sealed
for that gateway.  Stolen from there it opens nothing at the centre's own
listener, and nothing at another gateway; nor does a cookie of the centre open
anything through a gateway.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Final

from chancery.domain.errors import Unavailable

Headers = list[tuple[bytes, bytes]]
_NAME: Final = b"__Host-chancery="
_MAX: Final = 512  # octets of a sealed cookie; ours have fewer than 150


class SessionCookies:
    """Of one gateway.  *open_* raises Unavailable for what *seal* has not sealed."""

    def __init__(self, seal: Callable[[bytes], bytes], open_: Callable[[bytes], bytes]) -> None:
        self._seal = seal
        self._open = open_

    def inward(self, headers: Headers) -> Headers:
        """Put the real cookie in the place of the sealed one; one that is not ours is left out."""
        return [
            (name, self._opened(value)) if name == b"cookie" else (name, value)
            for name, value in headers
        ]

    def outward(self, headers: Headers) -> Headers:
        """Seal the cookie of a session wherever one is set."""
        return [
            (name, self._sealed(value))
            if name.lower() == b"set-cookie" and value.startswith(_NAME)
            else (name, value)
            for name, value in headers
        ]

    def _opened(self, field: bytes) -> bytes:
        kept = []
        for part in field.split(b";"):
            word = part.strip()
            if not word.startswith(_NAME):
                kept.append(word)
            elif (cookie := self._cookie(word[len(_NAME) :])) is not None:
                kept.append(_NAME + cookie)
        return b"; ".join(kept)

    def _cookie(self, sealed: bytes) -> bytes | None:
        if not 0 < len(sealed) <= _MAX:
            return None
        try:
            octets = base64.urlsafe_b64decode(sealed + b"=" * (-len(sealed) % 4))
            return self._open(octets)
        except (binascii.Error, ValueError, Unavailable):
            return None

    def _sealed(self, field: bytes) -> bytes:
        value, semicolon, rest = field[len(_NAME) :].partition(b";")
        if value:  # an empty one only takes it away
            value = base64.urlsafe_b64encode(self._seal(value)).rstrip(b"=")
        return _NAME + value + semicolon + rest
