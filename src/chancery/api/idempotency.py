"""Idempotency-Key: a repeated request gets the first one's answer, and no second effect."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import AuthMethod, Principal
from chancery.ports import Clock, Store

_KEY: Final = re.compile(rb"[\x21-\x7e]{1,128}")


class Idempotency:
    """Remembers answers per account and key.

    Within this process a repetition waits for the first request.  Elsewhere
    it finds the stored answer, which is durable before it is sent.  What
    stays open is a second node served within the same instant, and a crash
    between effect and record: then the repetition is a second request, which
    the registration service recognises by its key pair while it is pending.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._running: dict[tuple[str, str], tuple[str, asyncio.Future[None]]] = {}

    async def once(
        self,
        principal: Principal,
        key: bytes,
        body: bytes,
        work: Callable[[], Awaitable[bytes]],
    ) -> bytes:
        """Return what *work* answers (JSON), or answered the first time.

        An answer is remembered, a refusal is not: it had no effect.
        """
        name = self._name(principal, key)
        digest = hashlib.sha256(body).hexdigest()
        slot = (principal.name, name)
        while (running := self._running.get(slot)) is not None:
            _same(running[0], digest)
            await running[1]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running[slot] = (digest, done)
        try:
            remembered = await asyncio.to_thread(self._recall, principal.name, name)
            if remembered is not None:
                _same(remembered[0], digest)
                return remembered[1].encode()
            answer = await work()
            now = self._clock.s()
            await asyncio.wrap_future(
                self._store.submit(
                    lambda s: s.idempotency.remember(
                        principal.name, name, digest, answer.decode(), now
                    )
                )
            )
            return answer
        finally:
            del self._running[slot]
            done.set_result(None)

    def _recall(self, principal: str, key: str) -> tuple[str, str] | None:
        with self._store.read() as session:
            return session.idempotency.recall(principal, key)

    def _name(self, principal: Principal, key: bytes) -> str:
        if principal.method is AuthMethod.NONE:
            # Everybody is "anonymous": one could fetch another's secret code by guessing keys.
            raise BadRequest(
                "an Idempotency-Key needs a signed-in account",
                field="idempotency-key",
                rule="idempotency.account",
                remedy="leave the field out, or sign in",
            )
        if not _KEY.fullmatch(key):
            raise BadRequest(
                "an Idempotency-Key has 1 to 128 visible ASCII characters",
                field="idempotency-key",
                rule="idempotency.syntax",
            )
        return key.decode("ascii")


def _same(first: str, second: str) -> None:
    if first != second:
        raise Conflict(
            "this Idempotency-Key was used for another request",
            field="idempotency-key",
            rule="idempotency.reuse",
            remedy="make a new key for each request",
        )
