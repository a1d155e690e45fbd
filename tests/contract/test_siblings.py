"""Workers of one machine share work over sockets."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chancery.adapters.siblings import Siblings
from chancery.domain.errors import Unavailable


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    return Path()


@pytest.fixture
def second(place: Path) -> Iterator[Siblings]:
    siblings = Siblings(place, "worker-2")
    yield siblings
    siblings.close()


def backwards(payload: bytes) -> Callable[[], bytes]:
    if payload == b"bug":
        raise KeyError(payload)

    def later() -> bytes:
        if payload == b"late bug":
            raise KeyError(payload)
        return payload[::-1]

    return later


def test_answers_come_in_order_while_more_is_asked(place: Path, second: Siblings) -> None:
    second.serve(backwards)
    call = Siblings(place, "worker-1").call()
    assert call is not None
    large = b"x" * 3_000_000 + b"y"
    pieces = [b"", b"ab", large, b"cd"]
    asked = [call.ask(piece) for piece in pieces]
    assert call.waiting == 4
    assert [later() for later in asked] == [piece[::-1] for piece in pieces]
    assert call.waiting == 0
    call.close()


def test_pieces_are_begun_with_before_the_first_is_done(place: Path, second: Siblings) -> None:
    begun = threading.Semaphore(0)
    free = threading.Event()

    def work(payload: bytes) -> Callable[[], bytes]:
        begun.release()

        def later() -> bytes:
            assert free.wait(10)
            return payload

        return later

    second.serve(work)
    call = Siblings(place, "worker-1").call()
    assert call is not None
    asked = [call.ask(bytes([n])) for n in range(3)]
    assert all(begun.acquire(timeout=10) for _ in range(3))
    free.set()
    assert [later() for later in asked] == [b"\0", b"\1", b"\2"]
    call.close()


@pytest.mark.parametrize("piece", [b"bug", b"late bug"])
def test_who_breaks_off_is_away(place: Path, second: Siblings, piece: bytes) -> None:
    second.serve(backwards)
    call = Siblings(place, "worker-1").call()
    assert call is not None
    good, bad = call.ask(b"ab"), call.ask(piece)
    assert good() == b"ba"
    with pytest.raises(Unavailable):
        bad()
    with pytest.raises(Unavailable):
        call.ask(b"ab")()
    call.close()


def test_nobody_else_is_at_work(place: Path, second: Siblings) -> None:
    assert Siblings(place, "worker-1").call() is None
    second.serve(backwards)
    assert second.call() is None, "nobody calls himself"
    second.close()
    (place / "worker-2.sock").touch()  # of one that was killed
    assert Siblings(place, "worker-1").call() is None


def test_a_directory_without_room_for_sockets_is_survived(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    siblings = Siblings(deep, "worker-1")
    siblings.serve(backwards)
    siblings.close()
