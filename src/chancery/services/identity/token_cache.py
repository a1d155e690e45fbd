"""Tokens verified a moment ago, so that a busy client costs a hash and a look-up."""

from chancery.domain.identity import Principal
from chancery.ports import Changes


class TokenCache:
    """Token digest -> principal, for *ttl_ms* at the most.  Safe for concurrent use.

    A change to any account, in whichever process, empties it.  A verification
    that began before the change must not put its answer back afterwards, so
    ``put`` takes the generation that was current when the verification began.
    """

    def __init__(self, ttl_ms: int, changes: Changes, capacity: int = 10_000) -> None:
        self._ttl_ms = ttl_ms
        self._changes = changes
        self._capacity = capacity
        self._entries: dict[bytes, tuple[Principal, int, int]] = {}

    @property
    def generation(self) -> int:
        return self._changes.count()

    def get(self, digest: bytes, now_ms: int) -> Principal | None:
        entry = self._entries.get(digest)
        if entry is None or entry[1] <= now_ms or entry[2] != self._changes.count():
            return None
        return entry[0]

    def put(
        self, digest: bytes, principal: Principal, now_ms: int, expires_ms: int, generation: int
    ) -> None:
        if len(self._entries) >= self._capacity:  # a flood of tokens: start again, never grow
            self._entries.clear()
        self._entries[digest] = (principal, min(now_ms + self._ttl_ms, expires_ms), generation)

    def clear(self) -> None:
        """Forget everything, everywhere: call once a change to accounts is durable."""
        self._changes.bump()
        self._entries.clear()


class LocalChanges:
    """``Changes`` of a process that is alone."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> int:
        return self._count

    def bump(self) -> None:
        self._count += 1
