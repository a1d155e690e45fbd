"""Small public files for the fast lane: what a GET was answered a moment ago, for the next one."""

import time
from collections.abc import Sequence
from typing import Final

from chancery.server.lane import Then

_FOR_S: Final = 0.5
"""Seconds: whoever made the answer looks for a newer file about as often."""
_MOST: Final = 256  # paths
_LARGEST: Final = 64 * 1024  # octets: a larger one costs more to send than to find


class FileMemo:
    """A ``Quick`` for GET.  Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._answers: dict[bytes, tuple[bytes, float]] = {}

    def answer(self, target: bytes, body: bytes | None, then: Then) -> bytes | bool:  # noqa: ARG002
        found = self._answers.get(target)
        if found is None or body is not None or found[1] < time.monotonic():
            return False
        return found[0]

    def note(self, target: bytes, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """A 200 answer to an unconditional GET, which anybody may have for a moment."""
        if len(body) > _LARGEST:
            return
        if len(self._answers) >= _MOST:
            self._answers.clear()
        fields = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers)
        octets = fields.encode("latin-1") + b"\r\n" + body
        self._answers[target] = (octets, time.monotonic() + _FOR_S)
