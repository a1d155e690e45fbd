"""Is the process alive, and is it fit to serve?"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from starlette.types import Receive, Scope, Send

from chancery.domain.errors import CAError
from chancery.server.answers import send_json

_log = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Returns None when all is well, else what is wrong.  Runs in a thread; may raise."""


async def alive(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """Answer GET /healthz: the event loop turns."""
    await send_json(send, 200, {"status": "ok"})


class Readiness:
    """Answers GET /readyz: every check, 503 if one fails or does not answer in *timeout_s*.

    The answer is kept for *fresh_s*, so that asking cannot become a load.
    """

    def __init__(
        self, checks: Mapping[str, Check], *, timeout_s: float = 5.0, fresh_s: float = 1.0
    ) -> None:
        self._checks = checks
        self._timeout_s = timeout_s
        self._fresh_s = fresh_s
        self._found: dict[str, str] = {}
        self._found_at = float("-inf")
        self._asking = asyncio.Lock()
        # Its own threads: a check that hangs must not starve whatever else runs in some.
        self._threads = ThreadPoolExecutor(max(1, len(checks)), "readiness")
        self._running: dict[str, Future[str | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        async with self._asking:
            if time.monotonic() - self._found_at >= self._fresh_s:
                answers = await asyncio.gather(*map(self._ask, self._checks))
                self._found = dict(zip(self._checks, answers, strict=True))
                self._found_at = time.monotonic()
        ready = all(answer == "ok" for answer in self._found.values())
        document = {"status": "ready" if ready else "not ready", "checks": self._found}
        await send_json(send, 200 if ready else 503, document)

    async def _ask(self, name: str) -> str:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = self._threads.submit(self._checks[name])
        try:
            waiting = asyncio.shield(asyncio.wrap_future(running))
            return await asyncio.wait_for(waiting, self._timeout_s) or "ok"
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except CAError as error:
            return str(error)
        except Exception:  # noqa: BLE001 - a check that breaks is one that fails
            _log.exception("the readiness check %s failed", name)
            return "failed"
