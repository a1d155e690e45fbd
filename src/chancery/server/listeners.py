"""Sockets, all or none, and the uvicorn server that answers on them."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from chancery.server.lane import Lane
from chancery.server.protocol import MAX_CONNECTIONS, Connection
from chancery.server.sockets import BACKLOG, StartFailed, open_all
from chancery.server.tls import TlsContexts

__all__ = ["Bound", "Listener", "Server", "StartFailed", "bind", "configuration", "serve"]

_log = logging.getLogger(__name__)
_OTHER_FILES: Final = 256  # databases, the signer's socket, logs, connections not yet counted
_HANDSHAKE_TIMEOUT_S: Final = 10.0
_TLS_EVERY_TICKS: Final = 50  # of uvicorn's main loop, 0.1 s each
_COUNTS_EVERY_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen; port 0 takes any free one.  Plain HTTP without *tls*.

    *opened* is a socket that listens there already: the supervisor's, shared by its workers.
    """

    host: str
    port: int
    tls: TlsContexts | None = None
    opened: socket.socket | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """An open listener."""

    listener: Listener
    socket: socket.socket

    @property
    def url(self) -> str:
        host, port = self.socket.getsockname()[:2]
        scheme = "https" if self.listener.tls else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def bind(listeners: Sequence[Listener]) -> list[Bound]:
    """Open every listener that is not open yet, or raise StartFailed and leave none open."""
    given = [listener.opened for listener in listeners]
    missing = [(one.host, one.port) for one in listeners if one.opened is None]
    fresh = iter(open_all(missing))
    return [
        Bound(listener, opened or next(fresh))
        for listener, opened in zip(listeners, given, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Fast:
    """What is answered without a framework.  *open* is called before the first request."""

    lane: Lane
    open: Callable[[asyncio.AbstractEventLoop], None]


class Server(uvicorn.Server):
    """Serves one application on several listeners in this process."""

    def __init__(
        self, config: uvicorn.Config, bound: Sequence[Bound], fast: Fast | None = None
    ) -> None:
        super().__init__(config)
        self._fast = fast
        self._bound = bound
        self._max_connections = _room_for_connections()
        self._ready: Callable[[], None] = lambda: None

    def run_until_stopped(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; call *ready* once every listener answers."""
        self._ready = ready
        self.run()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Open the listeners (uvicorn would give all of them one TLS context)."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        if self._fast is not None:
            self._fast.open(loop)
        self.servers = []
        for bound in self._bound:
            contexts = bound.listener.tls
            server = await loop.create_server(
                self._connection,
                sock=bound.socket,
                ssl=contexts.listening if contexts else None,
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT_S if contexts else None,
                backlog=BACKLOG,
            )
            self.servers.append(server)
        self.started = True
        self._ready()

    def _connection(self) -> asyncio.Protocol:
        return Connection(
            self.config,
            self.server_state,
            self.lifespan.state,
            max_connections=self._max_connections,
            lane=self._fast.lane if self._fast is not None else None,
        )

    async def on_tick(self, counter: int) -> bool:
        """Look at the TLS files every few seconds; they change when certificates are renewed."""
        if counter % _TLS_EVERY_TICKS == 0:
            for bound in self._bound:
                if bound.listener.tls is not None and bound.listener.tls.refresh():
                    _log.info("TLS files of %s reloaded", bound.url)
        if self._fast is not None and counter % _COUNTS_EVERY_TICKS == 0:
            self._fast.lane.flush()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on the first signal and return: uvicorn would then die of it, unclean."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _room_for_connections() -> int:
    """Raise the limit of open files as far as we may; return how many may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted - _OTHER_FILES, _OTHER_FILES)


def configuration(app: ASGIApp, *, grace_s: int = 10) -> uvicorn.Config:
    """Return uvicorn's configuration: no trust in proxy headers, no log and name of its own."""
    return uvicorn.Config(
        app,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=grace_s,
        backlog=BACKLOG,
    )


def serve(
    app: ASGIApp,
    listeners: Sequence[Listener],
    *,
    ready: Callable[[list[str]], None],
    grace_s: int = 10,
    fast: Fast | None = None,
) -> None:
    """Serve *app* until SIGTERM or SIGINT, then finish what was begun (at most *grace_s*).

    *ready* gets the URLs once all listeners answer.  Raises StartFailed if one
    cannot be opened; then none was.
    """
    bound = bind(listeners)
    server = Server(configuration(app, grace_s=grace_s), bound, fast)
    server.run_until_stopped(lambda: ready([one.url for one in bound]))
