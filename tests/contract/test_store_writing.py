"""Units of work: atomic, durable together, refused by name."""

import itertools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from chancery.adapters.storage import SqlStore, open_store
from chancery.domain.errors import AlreadyExists, BadRequest, Unavailable
from chancery.ports import Session
from services import records


def leaf(session: Session) -> int:
    return session.audit.append([records.event()], records.NOW * 1000)


def hold_writer(store: SqlStore) -> tuple[threading.Event, Future[Any]]:
    """Keep the writer busy, so that what is submitted meanwhile shares the next commit."""
    release, started = threading.Event(), threading.Event()

    def wait(session: Session) -> None:
        started.set()
        assert release.wait(20)

    future = store.submit(wait)
    assert started.wait(20)
    return release, future


def test_a_unit_returns_its_result_once_it_is_readable(store: SqlStore) -> None:
    made = records.request()
    assert store.write(lambda s: s.requests.add([made])) is None
    with store.read() as session:
        assert session.requests.get(made.id) == made


def test_one_failing_unit_leaves_its_companions_untouched(store: SqlStore) -> None:
    requests = [records.request() for _ in range(40)]

    def add(number: int) -> Any:
        def work(session: Session) -> int:
            session.requests.add([requests[number]])
            leaf(session)
            if number % 10 == 3:
                raise BadRequest(f"unit {number}")
            if number % 10 == 7:
                session.requests.add([requests[number]])  # the database itself refuses
            return number

        return work

    release, _ = hold_writer(store)
    futures = [store.submit(add(n)) for n in range(40)]
    release.set()
    for number, future in enumerate(futures):
        error = future.exception(20)
        if number % 10 == 3:
            assert isinstance(error, BadRequest)
        elif number % 10 == 7:
            assert isinstance(error, AlreadyExists)
        else:
            assert error is None
            assert future.result() == number

    with store.read() as session:
        kept = [n for n, r in enumerate(requests) if session.requests.get(r.id)]
        assert kept == [n for n in range(40) if n % 10 not in {3, 7}]
        assert [r.seq for r in session.audit.records(0, 100)] == list(range(32))


def test_a_failed_statement_that_a_unit_swallows_still_fails_the_unit(store: SqlStore) -> None:
    first, second = records.request(), records.request()
    store.write(lambda s: s.requests.add([first]))

    def careless(session: Session) -> str:
        session.requests.add([second])
        with pytest.raises(AlreadyExists):
            session.requests.add([first])
        return "done"

    with pytest.raises(AlreadyExists):
        store.write(careless)
    with store.read() as session:
        assert session.requests.get(second.id) is None


def test_asking_for_a_write_inside_a_unit_is_a_bug_with_a_name(store: SqlStore) -> None:
    with pytest.raises(RuntimeError, match=r"bug: .*inside the writer"):
        store.write(lambda s: store.write(leaf))
    with pytest.raises(RuntimeError, match="bug: a unit of work asked"):
        store.write(lambda s: store.submit(leaf).cancel())
    assert store.write(leaf) == 0


def test_a_callback_may_submit_the_next_step(store: SqlStore) -> None:
    done: Future[int] = Future()
    first = store.submit(leaf)
    first.add_done_callback(
        lambda _: store.submit(leaf).add_done_callback(lambda f: done.set_result(f.result()))
    )
    assert done.result(20) == 1


def test_a_session_ends_with_its_transaction(store: SqlStore) -> None:
    kept = store.write(lambda s: s)
    with pytest.raises(RuntimeError, match="bug: a session was used after"):
        kept.audit.size()
    with store.read() as session:
        pass
    with pytest.raises(RuntimeError, match="bug: a session was used after"):
        session.audit.size()


def test_a_cancelled_unit_is_not_run(store: SqlStore) -> None:
    release, _ = hold_writer(store)
    unwanted, wanted = store.submit(leaf), store.submit(leaf)
    assert unwanted.cancel()
    release.set()
    assert wanted.result(20) == 0
    with store.read() as session:
        assert session.audit.size() == 1


def test_close_commits_what_waits_and_refuses_what_comes_later(url: str) -> None:
    store = open_store(url, clock=_never())
    futures = [store.submit(leaf) for _ in range(50)]
    store.close()
    assert sorted(f.result(0) for f in futures) == list(range(50))
    with pytest.raises(Unavailable):
        store.submit(leaf)


def test_64_threads(store: SqlStore) -> None:
    def work(number: int) -> int:
        made = records.request()

        def unit(session: Session) -> int:
            session.requests.add([made])
            return session.audit.append([records.event(subject_id=made.id)] * 2, number)

        first = store.write(unit)
        with store.read() as session:
            assert session.requests.get(made.id) == made
        return first

    with ThreadPoolExecutor(64) as pool:
        firsts = list(pool.map(work, range(640)))
    assert sorted(firsts) == list(range(0, 1280, 2))
    with store.read() as session:
        trail = session.audit.records(0, 2000)
    assert [r.seq for r in trail] == list(range(1280))
    assert all(a.time_ms <= b.time_ms for a, b in itertools.pairwise(trail))


def test_two_stores_on_one_database_number_the_trail_without_gaps(
    store: SqlStore, url: str
) -> None:
    """Two processes, or two nodes: whoever writes locks the head of the trail."""
    other = open_store(url, clock=_never())
    try:
        futures = [s.submit(leaf) for _ in range(100) for s in (store, other)]
        assert sorted(f.result(30) for f in futures) == list(range(200))
    finally:
        other.close()


def test_a_snapshot_does_not_move(store: SqlStore) -> None:
    store.write(leaf)
    with store.read() as session:
        assert session.audit.size() == 1
        store.write(leaf)
        assert session.audit.size() == 1
        assert len(session.audit.records(0, 9)) == 1
    with store.read() as session:
        assert session.audit.size() == 2


def test_a_read_session_cannot_write(store: SqlStore) -> None:
    with pytest.raises(Unavailable), store.read() as session:
        leaf(session)


def _never() -> Any:
    return None
