"""The process of a dedicated registration authority.

``python -m chancery.app.relay_process CONFIG HTTP_FD HTTPS_FD``: on sockets that the
supervisor opened.
"""

import asyncio
import gc
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from chancery.app import logs
from chancery.domain.errors import CAError
from chancery.relay.courier import Courier
from chancery.relay.pages import Pages
from chancery.relay.queue import Queue
from chancery.relay.relay import Relay
from chancery.relay.upstream import Upstream
from chancery.server.answers import send_json
from chancery.server.dispatch import Dispatcher
from chancery.server.health import alive
from chancery.server.listeners import Listener, StartFailed, serve
from chancery.server.metrics import Metrics
from chancery.server.tls import TlsContexts
from chancery.services.gauges import Family
from chancery.settings_gateway import GatewayHost, load

_log = structlog.get_logger("ra")
_PUBLIC: Final = ("ca", "crl", "ocsp")


def main() -> int:
    config, *words = sys.argv[1:]
    logs.configure("ra")
    http, https = (socket.socket(fileno=int(word)) for word in words[:2])
    try:
        return _serve(load(Path(config)), http, https)
    except (CAError, StartFailed) as error:
        logs.start_failed(error)
        return 1


def _serve(host: GatewayHost, http: socket.socket, https: socket.socket) -> int:
    queue = Queue(host.queue)
    upstream = Upstream(host.centre)
    courier = Courier(upstream, queue, f"{host.name}.gateway")
    relay = Relay(upstream, queue, courier, Pages(host.name, host.ra))
    metrics = Metrics(record=lambda: _figures(queue, courier))
    everywhere: dict[str, ASGIApp] = {
        **dict.fromkeys(_PUBLIC, relay),
        "healthz": alive,
        "readyz": _Readiness(queue, courier),
        "metrics": metrics,
    }
    app = Dispatcher(everywhere, {}, metrics, rest=relay)
    contexts = TlsContexts(host.tls.certificate, host.tls.key)
    _log.info("started", ra=host.ra, centre=host.centre.url, waiting=queue.waiting)
    courier.start()
    gc.freeze()
    try:
        serve(
            app,
            [
                Listener(host.listen.host, host.listen.http_port, opened=http),
                Listener(host.listen.host, host.listen.https_port, contexts, opened=https),
            ],
            ready=lambda urls: print("ready", *urls, flush=True),
        )
    finally:
        courier.stop()
    return 0


class _Readiness:
    """Answers GET /readyz: of use as long as it can take something in, centre or no centre."""

    def __init__(self, queue: Queue, courier: Courier) -> None:
        self._queue = queue
        self._courier = courier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        fault = await asyncio.to_thread(self._queue.fault)
        trouble = self._courier.trouble
        document = {
            "status": "not ready" if fault else "ready",
            "checks": {
                "queue": fault or "ok",
                "centre": f"away: {trouble}" if trouble else "ok",
            },
            "waiting": self._queue.waiting,
            "time": int(time.time()),
        }
        await send_json(send, 503 if fault else 200, document)


def _figures(queue: Queue, courier: Courier) -> Iterator[Family]:
    one: dict[tuple[str, ...], int] = {(): int(not courier.trouble)}
    yield Family("chancery_ra_centre_reachable", "1 while the centre answers and admits.", (), one)
    waiting: dict[tuple[str, ...], int] = {(): queue.waiting}
    refused: dict[tuple[str, ...], int] = {(): queue.refused()}
    yield Family("chancery_ra_queue_waiting", "Entries that wait for the centre.", (), waiting)
    yield Family("chancery_ra_queue_refused", "Entries whose reason is kept here.", (), refused)


if __name__ == "__main__":
    sys.exit(main())
