"""What we rely on in uvicorn's internals, and what our connection adds: octets in, octets out."""

import re
import time
from collections.abc import Iterator

import pytest
from listening import Wire, echo, serving

from chancery.server.listeners import Listener
from chancery.server.protocol import MAX_HEADER, Connection


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(echo, [Listener("127.0.0.1", 0)]) as (_, ports):
        yield ports[0]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "header_timeout_s", 0.3)
    monkeypatch.setattr(Connection, "body_timeout_s", 0.3)


def bodies(data: bytes) -> list[bytes]:
    return re.findall(rb"\r\n\r\n([A-Z]+ [^!]*)!", data)


GET = b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def test_keep_alive(port: int) -> None:
    with Wire(port) as wire:
        for number in range(5):
            wire.send(GET % number)
            assert b"GET /%d !" % number in wire.until(b"!")
        wire.send(LAST)
        assert wire.rest().endswith(b"GET /last !")


def test_pipelining_answers_in_order(port: int) -> None:
    with Wire(port) as wire:
        slow = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"
        wire.send(slow + b"".join(GET % n for n in range(20)) + LAST)
        answers = bodies(wire.rest())
    assert answers == [b"GET /slow ", *(b"GET /%d " % n for n in range(20)), b"GET /last "]


def test_pipelined_bodies_stay_apart(port: int) -> None:
    posts = b"".join(
        b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nb%02d" % (n, n) for n in range(9)
    )
    with Wire(port) as wire:
        wire.send(posts + LAST)
        answers = bodies(wire.rest())
    assert answers == [*(b"POST /%d b%02d" % (n, n) for n in range(9)), b"GET /last "]


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_any_fragmentation_gives_the_same(port: int, cut: int) -> None:
    stream = (
        b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\ntrailer: z\r\n\r\n" + LAST
    )
    with Wire(port) as wire:
        for start in range(0, len(stream), cut):
            wire.send(stream[start : start + cut])
            time.sleep(0.0005)
        assert bodies(wire.rest()) == [b"POST /a hello world", b"GET /last "]


def test_a_client_that_closes_its_half_is_answered(port: int) -> None:
    with Wire(port) as wire:
        wire.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        wire.socket.shutdown(1)
        assert bodies(wire.rest()) in ([b"GET /slow "], [])


def test_expect_continue(port: int) -> None:
    with Wire(port) as wire:
        wire.send(
            b"POST /e HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        )
        assert b"100 Continue" in wire.until(b"\r\n\r\n")
        wire.send(b"ok")
        assert b"POST /e ok!" in wire.until(b"!")


def test_http_1_0_closes(port: int) -> None:
    with Wire(port) as wire:
        wire.send(b"GET /0 HTTP/1.0\r\n\r\n")
        assert wire.rest().endswith(b"GET /0 !")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS ClientHello
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n",
    ],
)
def test_what_does_not_parse_is_refused_and_closed(port: int, garbage: bytes) -> None:
    with Wire(port) as wire:
        wire.send(garbage)
        answer = wire.rest()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_garbage_after_a_request_does_not_answer_in_its_place(port: int) -> None:
    """A 400 written at once would be taken for the answer to /slow."""
    with Wire(port) as wire:
        wire.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n" + b"\x00garbage\r\n\r\n")
        answer = wire.rest()
    assert bodies(answer) == [b"GET /slow "]
    assert b"connection: close" in answer
    assert b" 400 " not in answer


def test_a_broken_chunk_ends_the_connection(port: int) -> None:
    with Wire(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n")
        assert b"200 OK" not in wire.rest()


def test_an_upgrade_is_not_followed(port: int) -> None:
    with Wire(port) as wire:
        wire.send(
            b"GET /u HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        )
        answer = wire.rest()
    assert b"101" not in answer.split(b"\r\n")[0]


def test_headers_have_a_bound(port: int) -> None:
    with Wire(port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n")
        line = b"x-filler: " + b"a" * 1000 + b"\r\n"
        try:
            for _ in range(2 * MAX_HEADER // len(line)):
                wire.send(line)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = wire.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n",
        b"G",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab",
    ],
    ids=["line end", "one octet", "half a header", "half a body"],
)
@pytest.mark.parametrize("first", [b"", GET % 1], ids=["first request", "second request"])
def test_slow_clients_are_closed(port: int, first: bytes, sent: bytes) -> None:
    with Wire(port) as wire:
        wire.send(first)
        if first:
            wire.until(b"!")
        began = time.monotonic()
        wire.send(sent)
        wire.rest()
        assert time.monotonic() - began < 2


@pytest.mark.usefixtures("impatient")
def test_silence_is_closed(port: int) -> None:
    with Wire(port) as wire:
        began = time.monotonic()
        wire.rest()
        assert time.monotonic() - began < 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [b"", GET % 1], ids=["first request", "second request"])
def test_a_trickle_does_not_move_the_deadline(port: int, first: bytes) -> None:
    with Wire(port) as wire:
        wire.send(first)
        if first:
            wire.until(b"!")
        began = time.monotonic()
        try:
            for octet in b"GET / HTTP/1.1\r\nx-slow: " + b"a" * 100:
                wire.send(bytes([octet]))
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        wire.rest()
        assert time.monotonic() - began < 2


@pytest.mark.usefixtures("impatient")
def test_a_slow_answer_is_no_slow_client(port: int) -> None:
    with Wire(port) as wire:
        for _ in range(3):
            wire.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"GET /slow !" in wire.until(b"!")


def test_connections_have_a_bound() -> None:
    with serving(echo, [Listener("127.0.0.1", 0)]) as (server, (number,)):
        server._max_connections = 3
        wires = [Wire(number) for _ in range(3)]
        for wire in wires:
            wire.send(GET % 1)
            wire.until(b"!")
        with Wire(number) as refused:
            assert refused.rest() == b""
        wires.pop().close()
        time.sleep(0.1)
        with Wire(number) as admitted:
            admitted.send(LAST)
            assert b"GET /last " in bodies(admitted.rest())
        for wire in wires:
            wire.close()
