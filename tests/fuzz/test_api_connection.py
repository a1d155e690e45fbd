"""Any octets, cut anywhere, on one connection: no exception, and no answer that nobody asked for."""

import asyncio
import itertools
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from chancery.server.listeners import configuration
from chancery.server.protocol import Connection


class Transport(asyncio.Transport):
    """Keeps what is written; closing is final."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.7", 5), "sockname": ("127.0.0.1", 80)}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Octets already fed are parsed all the same."""

    def resume_reading(self) -> None:
        """See ``pause_reading``."""


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    text = b"<%s %s %s>" % (scope["method"].encode(), scope["path"].encode(), body)
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def talk(pieces: list[bytes]) -> tuple[bytes, list[dict[str, Any]]]:
    """Feed *pieces* to a connection; return what it wrote and what broke."""
    broken: list[dict[str, Any]] = []

    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: broken.append(context))
        config = configuration(echo)
        config.load()
        connection = Connection(config, ServerState(), {}, loop)
        transport = Transport()
        connection.connection_made(transport)
        for piece in pieces:
            if not transport.closed:
                connection.data_received(piece)
            for _ in range(3):
                await asyncio.sleep(0)
        for _ in range(60):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        for _ in range(5):
            await asyncio.sleep(0)
        return transport.written

    return asyncio.run(run()), broken


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[a:b] for a, b in itertools.pairwise(marks) if a < b]


TOKEN = st.text("abcdefgh", min_size=1, max_size=6).map(str.encode)
FIELDS = st.dictionaries(TOKEN, st.binary(max_size=8).map(lambda v: v.hex().encode()), max_size=3)


@st.composite
def message(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A good request, and what the echo says to it."""
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS"]))
    path = b"/" + draw(TOKEN)
    head = b"%s %s HTTP/1.1\r\nhost: x\r\n" % (method, path)
    for name, value in draw(FIELDS).items():
        head += b"x-%s: %s\r\n" % (name, value)
    body = draw(st.binary(max_size=30))
    match draw(st.sampled_from(["none", "length", "chunked"])):
        case "length":
            head += b"content-length: %d\r\n\r\n%s" % (len(body), body)
        case "chunked":
            parts = cut(body, draw(st.lists(st.integers(0, 30), max_size=3))) if body else []
            head += b"transfer-encoding: chunked\r\n\r\n"
            head += b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        case _:
            head, body = head + b"\r\n", b""
    return head, b"<%s %s %s>" % (method, path, body)


CUTS = st.lists(st.integers(0, 2000), max_size=12)


@settings(max_examples=150, deadline=None)
@given(messages=st.lists(message(), min_size=1, max_size=6), cuts=CUTS)
def test_good_requests_are_answered_in_order_however_they_are_cut(
    messages: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    written, broken = talk(cut(b"".join(request for request, _ in messages), cuts))
    assert not broken
    assert re.split(rb"HTTP/1\.1 200 OK\r\n(?:[^\r]+\r\n)*\r\n", written)[1:] == [
        answer for _, answer in messages
    ]


@settings(max_examples=300, deadline=None)
@given(
    messages=st.lists(message(), min_size=1, max_size=4),
    cuts=CUTS,
    edits=st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 3), st.binary(max_size=4)),
        min_size=1,
        max_size=4,
    ),
)
def test_damaged_requests_break_nothing(
    messages: list[tuple[bytes, bytes]], cuts: list[int], edits: list[tuple[int, int, bytes]]
) -> None:
    stream = b"".join(request for request, _ in messages)
    for place, length, replacement in edits:
        at = place % (len(stream) + 1)
        stream = stream[:at] + replacement + stream[at + length :]
    written, broken = talk(cut(stream, cuts))
    assert not broken, broken
    assert not written or written.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 500" not in written


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_any_octets_break_nothing(pieces: list[bytes]) -> None:
    written, broken = talk(pieces)
    assert not broken, broken
    assert not written or written.startswith(b"HTTP/1.1 400 ")
