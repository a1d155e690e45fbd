"""Certificate status and publication as ASGI applications: /ocsp, /crl, /ca.

The handlers are synchronous and may wait for the record or the signer, so they
run in a few threads of their own: relying parties cannot starve the doors.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chancery.protocols.crl.handler import FileHandler
from chancery.protocols.ocsp.handler import OcspHandler
from chancery.server.memo import FileMemo
from chancery.wire.ocsp import MAX_REQUEST

Reply = tuple[int, Sequence[tuple[str, str]], bytes]
_THREADS: Final = 4
_PIECE: Final = 256 * 1024  # octets of an answer handed over at a time


def ocsp_app(handler: OcspHandler) -> ASGIApp:
    """Serve ``/ocsp/{ca}`` and ``/ocsp/{ca}/{base64}``."""
    pool = ThreadPoolExecutor(_THREADS, "ocsp")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await _bounded_body(receive, MAX_REQUEST)
        # As it stood in the request line: %2F and / differ in base64.
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        ask = partial(
            handler.handle,
            scope["method"],
            path.lstrip("/").removeprefix("ocsp"),
            body,
            _header(scope, b"content-type"),
            none_match=_header(scope, b"if-none-match"),
        )
        reply = await asyncio.get_running_loop().run_in_executor(pool, ask)
        await _answer(send, reply)

    return app


def file_app(serve: Callable[..., Reply], prefix: str, suffix: str, memo: FileMemo) -> ASGIApp:
    """Serve ``/PREFIX/{label}SUFFIX`` by *serve*, a method of FileHandler; *memo* hears of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        label = scope["path"].removeprefix(f"/{prefix}/").removesuffix(suffix)
        none_match, since = _header(scope, b"if-none-match"), _header(scope, b"if-modified-since")
        method = scope["method"]
        reply = await asyncio.to_thread(serve, method, label, none_match=none_match, since=since)
        if (method, reply[0], none_match, since) == ("GET", 200, None, None):
            memo.note(scope["raw_path"], reply[1], reply[2])
        await _answer(send, reply)

    return app


def status_apps(
    ocsp: OcspHandler, files: FileHandler, memo: FileMemo | None = None
) -> dict[str, ASGIApp]:
    """The applications by the first segment of their paths."""
    memo = memo or FileMemo()
    return {
        "ocsp": ocsp_app(ocsp),
        "crl": file_app(files.crl, "crl", ".crl", memo),
        "ca": file_app(files.certificate, "ca", ".cer", memo),
    }


async def _bounded_body(receive: Receive, limit: int) -> bytes:
    """The body, or the first octets beyond *limit* of it: the handler refuses what is longer."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit or not message.get("more_body", False):
            return body[: limit + 1]


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


async def _answer(send: Send, reply: Reply) -> None:
    status, headers, body = reply
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    # A CRL may have a hundred megabytes, each client its own pace: what waits is one piece.
    last = max(len(body) - 1, 0) // _PIECE * _PIECE
    for start in range(0, last, _PIECE):
        piece = body[start : start + _PIECE]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": body[last:]})
