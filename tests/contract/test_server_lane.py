"""The fast lane on real connections: in order, in time, and never in the parser's way."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from listening import Wire, echo, serving

from chancery.server.lane import Lane, Tell, Then
from chancery.server.listeners import Fast, Listener
from chancery.server.protocol import Connection


class Quick:
    """Echoes the target; ``later`` takes its time, ``never`` is for the other road after all."""

    loop: asyncio.AbstractEventLoop

    def answer(self, target: bytes, body: bytes | None, then: Then) -> bytes | bool:
        octets = b"content-length: %d\r\n\r\n%b!" % (len(target) + 1, target)
        if b"no" in target:
            return False
        if b"later" in target:
            self.loop.call_later(0.1, then, octets)
        elif b"never" in target:
            self.loop.call_later(0.05, then, None)
        else:
            return octets
        return True


class Submissions:
    """Must not be asked: these connections are not encrypted."""

    def open(self, loop: asyncio.AbstractEventLoop) -> None: ...

    def take(self, token: bytes, origin: str, body: bytes, tell: Tell) -> bool:
        raise AssertionError(token)


@pytest.fixture(scope="module")
def lane() -> Lane:
    counted: list[tuple[str, str, int]] = []
    lane = Lane({b"ocsp": Quick()}, lambda *one: counted.append(one), Submissions())
    lane.counted = counted  # type: ignore[attr-defined]
    return lane


@pytest.fixture(scope="module")
def port(lane: Lane) -> Iterator[int]:
    def begin(loop: asyncio.AbstractEventLoop) -> None:
        lane.quick[b"ocsp"].loop = loop  # type: ignore[attr-defined]

    with serving(echo, [Listener("127.0.0.1", 0)], Fast(lane, begin)) as (_, ports):
        yield ports[0]


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: h", *fields, "", "")).encode()


def test_both_roads_on_one_connection(port: int, lane: Lane) -> None:
    with Wire(port) as wire:
        for path in ("/ocsp/a", "/x", "/ocsp/no", "/ocsp/b", "/ocsp/later", "/ocsp/never", "/y"):
            wire.send(get(path))
            assert path.encode() in wire.until(b"!").partition(b"\r\n\r\n")[2]
        wire.send(get("/ocsp/end", "Connection: close"))
        assert wire.rest().endswith(b"/ocsp/end!")
    lane.flush()
    assert sum(number for *_, number in lane.counted) == 4  # type: ignore[attr-defined]


def test_what_comes_while_an_answer_is_due_waits_its_turn(port: int) -> None:
    with Wire(port) as wire:
        wire.send(get("/ocsp/later"))
        time.sleep(0.03)
        wire.send(get("/ocsp/1") + get("/two") + get("/ocsp/3", "Connection: close"))
        rest = wire.rest()
    places = [rest.find(mark) for mark in (b"/ocsp/later!", b"/ocsp/1", b"/two", b"/ocsp/3")]
    assert places == sorted(places)
    assert places[0] > 0


def test_a_request_in_pieces_is_the_parsers(port: int) -> None:
    with Wire(port) as wire:
        for octet in get("/ocsp/slow"):
            wire.send(bytes([octet]))
        assert b"GET /ocsp/slow !" in wire.until(b"!")
        wire.send(get("/ocsp/quick"))
        assert b"\r\n\r\n/ocsp/quick!" in wire.until(b"!")


def test_a_client_that_goes_meanwhile_harms_nobody(port: int) -> None:
    for _ in range(5):
        with Wire(port) as wire:
            wire.send(get("/ocsp/later") + b"GET")
    time.sleep(0.15)
    with Wire(port) as wire:
        wire.send(get("/ocsp/after"))
        assert b"/ocsp/after!" in wire.until(b"!")


def test_an_idle_connection_is_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Connection.connection_made

    def impatient(self: Connection, transport: object) -> None:
        made(self, transport)  # type: ignore[arg-type]
        self.timeout_keep_alive = 0.2  # type: ignore[assignment]

    monkeypatch.setattr(Connection, "connection_made", impatient)
    with Wire(port) as wire:
        wire.send(get("/ocsp/a"))
        wire.until(b"!")
        time.sleep(0.15)
        wire.send(get("/ocsp/b"))
        wire.until(b"!")
        began = time.monotonic()
        assert wire.rest() == b""
        assert 0.1 < time.monotonic() - began < 2


def test_many_at_once(port: int) -> None:
    found: list[bytes] = []

    def one(number: int) -> None:
        with Wire(port) as wire:
            for turn in range(20):
                wire.send(get(f"/ocsp/{'later' if turn == 7 else number}/{turn}"))
                found.append(wire.until(b"!").rpartition(b"/")[2])

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160


def test_submissions_in_clear_are_the_parsers(port: int) -> None:
    with Wire(port) as wire:
        fields = "Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}"
        wire.send(f"POST /api/v1/requests HTTP/1.1\r\nHost: h\r\n{fields}".encode())
        assert b"POST /api/v1/requests {}" in wire.until(b"!")
