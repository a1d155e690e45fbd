"""The first decision about a request: which application, by the first segment of its path."""

import logging
from collections.abc import Mapping
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chancery.server.answers import send_problem
from chancery.server.metrics import Metrics

_log = logging.getLogger(__name__)


class Dispatcher:
    """Routes ``/<segment>/...`` to an application without any framework.

    *everywhere* is served on plain and TLS listeners (certificate status and
    publication, health), *secured* on TLS listeners alone, and so is *rest*
    (the web console), which gets every other path.
    """

    def __init__(
        self,
        everywhere: Mapping[str, ASGIApp],
        secured: Mapping[str, ASGIApp],
        metrics: Metrics,
        rest: ASGIApp | None = None,
    ) -> None:
        self._plain = dict(everywhere)
        self._secure = {**secured, **everywhere}
        self._metrics = metrics
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        path: str = scope["path"]
        # Relying parties join an address that ends in a slash with one that begins with it.
        start = len(path) - len(path.lstrip("/")) if path.startswith("//") else 1
        end = path.find("/", start)
        segment = path[start:end] if end > 0 else path[start:]
        if start > 1 and segment not in self._plain:
            segment = ""
        secure = scope["scheme"] == "https"
        app = (self._secure if secure else self._plain).get(segment)
        route = f"/{segment}" if app else "unknown"
        if app is None:
            app = self._rest if secure and self._rest else self._nothing
        status = 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, counted)
        except Exception:  # the last resort: each application reports its own failures
            if status:  # too late to say it: uvicorn cuts the connection
                raise
            _log.exception("%s %s failed", scope["method"], route)
            await send_problem(counted, 500, "internal error")
        finally:
            template = getattr(scope.get("route"), "path", None)
            self._metrics.count(scope["method"], template or route, status, started)

    async def _nothing(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        path: str = scope["path"]
        end = path.find("/", 1)
        segment = path[1:end] if end > 0 else path[1:]
        if scope["scheme"] != "https" and (segment in self._secure or self._rest is not None):
            await send_problem(
                send, 404, "this is served over TLS only", remedy="use the https listener"
            )
        else:
            await send_problem(send, 404, f"nothing is served at {path[:200]}")
