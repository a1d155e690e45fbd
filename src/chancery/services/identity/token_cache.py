"""Tokens verified a moment ago, so that a busy client costs a hash and a look-up."""

from chancery.domain.identity import Principal


class TokenCache:
    """Token digest -> principal, for *ttl_ms* at the most.  Safe for concurrent use.

    A change to any account empties it.  A verification that began before the
    change must not put its answer back afterwards, so ``put`` takes the
    generation that was current when the verification began.
    """

    def __init__(self, ttl_ms: int, capacity: int = 10_000) -> None:
        self._ttl_ms = ttl_ms
        self._capacity = capacity
        self._generation = 0
        self._entries: dict[bytes, tuple[Principal, int]] = {}

    @property
    def generation(self) -> int:
        return self._generation

    def get(self, digest: bytes, now_ms: int) -> Principal | None:
        entry = self._entries.get(digest)
        if entry is None or entry[1] <= now_ms:
            return None
        return entry[0]

    def put(
        self, digest: bytes, principal: Principal, now_ms: int, expires_ms: int, generation: int
    ) -> None:
        entries = self._entries
        if len(entries) >= self._capacity:  # a flood of tokens: start again, never grow
            entries.clear()
        entries[digest] = (principal, min(now_ms + self._ttl_ms, expires_ms))
        # Checked after the write: a change that came in between has emptied the
        # table before or will find the entry, and either way it goes.
        if generation != self._generation:
            entries.pop(digest, None)

    def clear(self) -> None:
        """Forget everything: call once a change to accounts is durable."""
        self._generation += 1
        self._entries.clear()
