"""OCSP signatures over the signer's socket for an event loop, which never waits for one."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.signer import protocol
from chancery.signer.client import ANSWER_S

_log = logging.getLogger(__name__)
_AGAIN_S: Final = 1.0
"""Seconds until a signer that was away is tried again."""

Then = Callable[[Sequence[bytes] | None], None]


class SignerChannel(asyncio.Protocol):
    """``ports_status.StatusLine``: one connection, answers in the order of the requests.

    Opened when first needed, and again after the signer was away; until then
    everything is answered with None.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, path: Path | str, *, patience_s: float = ANSWER_S
    ) -> None:
        """*patience_s*: how long no answer at all may come before the signer counts as hanging."""
        self._loop = loop
        self._patience_s = patience_s
        self._path = str(path)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Then] = deque()
        self._received = bytearray()
        self._opening: asyncio.Task[None] | None = None
        self._try_at = 0.0
        self._late: asyncio.TimerHandle | None = None
        self._answered = 0

    @property
    def open(self) -> bool:
        return self._transport is not None

    @property
    def busy(self) -> int:
        return len(self._waiting)

    def sign(
        self, key_id: str, algorithm: SignatureAlgorithm, tbss: Sequence[bytes], then: Then
    ) -> None:
        if self._transport is None:
            self._open()
            then(None)
            return
        self._waiting.append(then)
        request = protocol.SignOcspAll(key_id, algorithm, list(tbss))
        self._transport.write(protocol.frame(protocol.encode(request)))
        if self._late is None:
            self._watch()

    def _open(self) -> None:
        if self._opening is None and self._loop.time() >= self._try_at:
            self._opening = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._loop.create_unix_connection(lambda: self, self._path)
        except OSError as error:
            self._try_at = self._loop.time() + _AGAIN_S
            _log.warning("no line to the signer: %s", error)
        finally:
            self._opening = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while len(received) >= 4:
            end = 4 + int.from_bytes(received[:4])
            if len(received) < end:
                return
            payload = bytes(received[4:end])
            del received[:end]
            self._come(payload)

    def _come(self, payload: bytes) -> None:
        self._answered += 1
        try:
            answer = protocol.decode_answer(payload)
        except protocol.Garbled as error:
            self._end(str(error))
            return
        if not self._waiting:
            self._end("an answer that nobody asked for")
            return
        then = self._waiting.popleft()
        if isinstance(answer, protocol.Batch):
            then([one for one in answer.results if isinstance(one, bytes)])
            return
        if isinstance(answer, protocol.Failure):
            _log.warning("the signer refuses OCSP answers: %s", answer.message)
        then(None)

    def _watch(self) -> None:
        """A signer that hangs is let go of, and whoever waits hears it."""
        before = self._answered

        def look() -> None:
            self._late = None
            if not self._waiting:
                return
            if self._answered == before:
                self._end("it does not answer")
            else:
                self._watch()

        self._late = self._loop.call_later(self._patience_s, look)

    def _end(self, why: str) -> None:
        _log.warning("the line to the signer is closed: %s", why)
        self._received.clear()
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._received.clear()
        if self._late is not None:
            self._late.cancel()
            self._late = None
        waiting, self._waiting = self._waiting, deque()
        for then in waiting:
            then(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
