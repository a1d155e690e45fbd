"""Random octets for identifiers: drawn from the kernel in larger pieces.

Each draw lets go of the interpreter, and under load it is long before it comes
back; a certificate needs four.  Secrets that people carry away are drawn alone.
"""

import os
import threading
from typing import Final

_DRAWN: Final = 4_096


class EntropyPool:
    """``ports.Entropy``.  Each octet is given out once; a child process starts anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._octets = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self, size: int) -> bytes:
        if size > _DRAWN:
            return os.urandom(size)
        with self._lock:
            at = self._at
            if len(self._octets) - at < size:
                self._octets, at = os.urandom(_DRAWN), 0
            self._at = at + size
            return self._octets[at : at + size]

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._octets = b""
        self._at = 0
