"""Enrolment protocols as ASGI applications, each in threads of its own."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chancery import peer
from chancery.protocols.exchange import DoorHandler, Exchange
from chancery.server.answers import send_problem

_THREADS: Final = 32
"""Most of a request's time is waiting for a commit that it shares with others."""


def door_app(load: Callable[[], DoorHandler], prefix: str) -> ASGIApp:
    """Serve everything below *prefix* (``/scep/``) by what *load* gives, each time anew."""
    pool = ThreadPoolExecutor(_THREADS, f"door {prefix}")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        handler = await loop.run_in_executor(pool, load)
        body = await _bounded_body(receive, handler.max_body)
        exchange = _exchange(scope, prefix, body)
        reply = await loop.run_in_executor(pool, handler.handle, exchange)
        headers = [(name.lower().encode(), text.encode("latin-1")) for name, text in reply.headers]
        headers.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return app


def well_known(everywhere: Mapping[str, ASGIApp], secured: Mapping[str, ASGIApp]) -> ASGIApp:
    """``/.well-known/NAME/...`` (RFC 8615) by NAME; those of *secured* over TLS alone."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].removeprefix("/.well-known/").partition("/")[0]
        found = everywhere.get(name)
        if found is None and name in secured:
            if scope["scheme"] != "https":
                remedy = "use the https listener"
                await send_problem(send, 404, "this is served over TLS only", remedy=remedy)
                return
            found = secured[name]
        if found is None:
            await send_problem(send, 404, f"nothing is served at {scope['path'][:200]}")
            return
        await found(scope, receive, send)

    return app


def _exchange(scope: Scope, prefix: str, body: bytes) -> Exchange:
    headers: dict[str, str] = {}
    for name, text in ((n.decode("latin-1"), t.decode("latin-1")) for n, t in scope["headers"]):
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    chain = peer.client_chain(scope)
    path: str = scope["path"]
    return Exchange(
        method=scope["method"],
        path=path,
        tail=path.removeprefix(prefix),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        origin=peer.origin_of(scope),
        secure=scope["scheme"] == "https",
        certificate=ssl.PEM_cert_to_DER_cert(chain[0]) if chain else None,
        tls_unique=peer.tls_unique(scope),
        base=f"{scope['scheme']}://{headers.get('host', '')}",
    )


async def _bounded_body(receive: Receive, limit: int) -> bytes:
    """The body, or the first octets beyond *limit* of it: the handler refuses what is longer."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit or not message.get("more_body", False):
            return b"".join(parts)[: limit + 1]
