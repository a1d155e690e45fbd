"""Passwords that were right a moment ago: a device costs one Argon2, not one a request."""

import hmac
from collections import OrderedDict
from threading import Lock
from typing import Final

from chancery.ports import Entropy

_ROOM: Final = 10_000


class PasswordMemory:
    """Keeps keyed hashes alone, under a key that dies with the process.

    What is remembered belongs to a stored hash: a changed password is another.
    """

    def __init__(self, entropy: Entropy) -> None:
        self._key = entropy(32)
        self._lock = Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()

    def knows(self, verifier: str, password: str) -> bool:
        with self._lock:
            kept = self._known.get(verifier, b"")
        return hmac.compare_digest(kept, self._digest(password))

    def keep(self, verifier: str, password: str) -> None:
        digest = self._digest(password)
        with self._lock:
            self._known[verifier] = digest
            if len(self._known) > _ROOM:
                self._known.popitem(last=False)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode("utf-8", "replace"), "sha256")
