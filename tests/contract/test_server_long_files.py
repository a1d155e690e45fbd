"""Files for relying parties that are as long as a CRL of a million: whole, and in pieces."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from listening import serving

from chancery.server.listeners import Listener
from chancery.server.memo import FileMemo
from chancery.server.status import Reply, file_app

LONG = os.urandom(1 << 20) * 40  # 40 MiB


def serve(method: str, label: str, **_: object) -> Reply:
    data = LONG if label == "long" else b"x" * int(label)
    return 200, [("Content-Length", str(len(data)))], data


APP = file_app(serve, "crl", ".crl", FileMemo())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(APP, [Listener("127.0.0.1", 0)]) as (_, ports):
        yield ports[0]


def asked(port: int, version: str = "1.0") -> socket.socket:
    link = socket.create_connection(("127.0.0.1", port), timeout=10)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    link.sendall(f"GET /crl/long.crl HTTP/{version}\r\nHost: h\r\n\r\n".encode())
    return link


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_an_old_client_gets_its_length_and_all_of_it(port: int) -> None:
    with asked(port) as link:
        got = bytearray()
        while part := link.recv(1 << 20):
            got += part
    head, _, body = bytes(got).partition(b"\r\n\r\n")
    assert f"content-length: {len(LONG)}".encode() in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert body == LONG


def test_slow_clients_cost_a_piece_each_and_no_copy(port: int) -> None:
    with ExitStack() as stack:
        before = resident()
        links = [stack.enter_context(asked(port, "1.1")) for _ in range(10)]
        for link in links:
            assert link.recv(4096).startswith(b"HTTP/1.1 200")
        assert resident() - before < 2 * len(LONG)


@pytest.mark.parametrize("size", [0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3 << 18])
def test_pieces_add_up(size: int) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    path = f"/crl/{size}.crl"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
    }
    asyncio.run(APP(scope, send, send))  # type: ignore[arg-type]
    bodies = [one["body"] for one in sent[1:]]
    assert len(b"".join(bodies)) == size
    assert max(map(len, bodies)) <= 1 << 18
    assert [one.get("more_body", False) for one in sent[1:]] == [True] * (len(bodies) - 1) + [False]
