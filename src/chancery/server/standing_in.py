"""Who answers while the signer is sealed: says so, and how to get out.  Nothing else is served.

A process of the standard library alone, on the sockets that the workers will
take over; it ends when the signer is ready.
"""

import asyncio
import contextlib
import html
import json
import signal
import socket
import ssl
import sys
from typing import Any, Final

_LIMIT: Final = 16 * 1024  # octets of a request's head
_PATIENCE_S: Final = 10.0
_RETRY_S: Final = 10
_CONNECTIONS: Final = 200
_HEADERS: Final = (
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
    "Connection: close",
)
_STATUS: Final = {200: "OK", 503: "Service Unavailable"}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sealed</title>
<meta name="viewport" content="width=device-width"></head>
<body><h1>This server is sealed</h1><p>{why}</p><p>{remedy}</p></body></html>
"""

Answer = tuple[int, str, bytes]


class StandingIn:
    """Answers on listeners that were opened before."""

    def __init__(self, unseal_socket: str) -> None:
        self._unseal_socket = unseal_socket
        self._open = asyncio.Semaphore(_CONNECTIONS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._open, asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_bytes(await self._answer(head), bodyless=head.startswith(b"HEAD ")))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # nobody is left to tell
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> Answer:
        path = head.partition(b" ")[2].partition(b" ")[0].partition(b"?")[0]
        if path == b"/healthz":
            return 200, "application/json", b'{"status": "ok"}'
        why, remedy = told(await self._standing())
        if path == b"/readyz":
            document: dict[str, Any] = {"status": "not ready", "checks": {"signer": why}}
            return 503, "application/json", _json(document | {"remedy": remedy})
        if b"text/html" in head and not path.startswith(b"/api/"):
            page = _PAGE.format(why=html.escape(why), remedy=html.escape(remedy))
            return 503, "text/html; charset=utf-8", page.encode()
        document = {
            "type": "urn:chancery:problem:unavailable",
            "title": "Unavailable",
            "status": 503,
            "detail": why,
            "rule": "unseal.sealed",
            "remedy": remedy,
        }
        return 503, "application/problem+json", _json(document)

    async def _standing(self) -> dict[str, Any] | None:
        """What the sealed signer says of itself; None while it starts."""
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_unix_connection(self._unseal_socket)
                writer.write(b'{"op": "status"}\n')
                line = await reader.readline()
                writer.close()
                answer: dict[str, Any] = json.loads(line)
                return answer
        return None


def told(standing: dict[str, Any] | None) -> tuple[str, str]:
    """What is the matter, and what to do."""
    if standing is None:
        return "the signer is starting", "try again in a moment"
    given, missing = standing["given"], standing["missing"]
    brought = f"{len(given)} of {standing['threshold']} shares were given"
    if given:
        brought += f" ({', '.join(given)})"
    rest = [name for name in standing["holders"] if name not in given]
    return (
        f"sealed: {brought}, {missing} more needed",
        f"on the server, let {missing} of {', '.join(rest)} run `chancery unseal`",
    )


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def _bytes(answer: Answer, *, bodyless: bool) -> bytes:
    status, media_type, body = answer
    lines = [
        f"HTTP/1.1 {status} {_STATUS[status]}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        *_HEADERS,
    ]
    if status == 503:
        lines.append(f"Retry-After: {_RETRY_S}")
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if bodyless else body)


async def _run(plan: dict[str, Any]) -> None:
    standing_in = StandingIn(plan["unseal_socket"])
    servers = [
        await asyncio.start_server(
            standing_in.serve, sock=socket.socket(fileno=number), ssl=context, limit=_LIMIT
        )
        for number, context in _listeners(plan)
    ]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


def _listeners(plan: dict[str, Any]) -> list[tuple[int, ssl.SSLContext | None]]:
    """Descriptors, each with its TLS or without; HTTPS stays mute where there is no certificate."""
    found: list[tuple[int, ssl.SSLContext | None]] = [(number, None) for number in plan["http"]]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(plan["certificate"], plan["key"])
    except (OSError, ssl.SSLError):
        return found
    return found + [(number, context) for number in plan["https"]]


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
