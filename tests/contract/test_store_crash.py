"""Killed processes, full disks, servers that go away: what was acknowledged is there, the rest says so."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.domain.errors import Unavailable
from services import records
from services.postgres import Server

pytestmark = pytest.mark.fault

_CHILD = """
import sys
from chancery.adapters.storage import open_store
from services import records

store = open_store(sys.argv[1], clock=None)

def unit(request):
    def work(session):
        session.requests.add([request])
        session.audit.append([records.event(subject_id=request.id)], records.NOW)
        return request.id
    return work

def acknowledge(future):
    # One write call, so that a line is whole or absent when the process dies.
    import os
    os.write(1, (future.result() + "\\n").encode())

import itertools, threading
waiting = threading.Semaphore(32)
for _ in itertools.count():
    waiting.acquire()
    future = store.submit(unit(records.request()))
    future.add_done_callback(lambda f: (acknowledge(f), waiting.release()))
"""


def _kill_while_writing(url: str, after_s: float) -> list[str]:
    """Run a writer, SIGKILL it, and return what it said was durable."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, url],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    child.wait()
    child.stdout.close()
    return (first + rest).decode().splitlines()


@pytest.mark.parametrize("round_", range(3))
def test_what_was_acknowledged_survives_sigkill(url: str, round_: int) -> None:
    said = _kill_while_writing(url, random.Random(round_).uniform(0.05, 0.4))
    assert said
    store = open_store(url, clock=None)  # type: ignore[arg-type]
    try:
        with store.read() as session:
            size = session.audit.size()
            trail = session.audit.records(0, size + 1)
            assert [r.seq for r in trail] == list(range(size))
            kept = {r.event.subject_id for r in trail}
            assert kept >= set(said)
            # Each unit is whole: no leaf without its request.
            assert all(session.requests.get(request_id) for request_id in kept)
        assert store.write(lambda s: s.audit.append([records.event()], records.NOW)) == size
    finally:
        store.close()


def test_a_failing_commit_is_never_a_success(store: SqlStore) -> None:
    def leaf(session):  # type: ignore[no-untyped-def]
        return session.audit.append([records.event()], 1)

    failing = [True]

    @event.listens_for(store._writers, "commit")
    def _fail(connection: object) -> None:
        if failing[0]:
            connection.exec_driver_sql("ROLLBACK")  # type: ignore[attr-defined]
            connection.exec_driver_sql("SAVEPOINT missing_table")  # type: ignore[attr-defined]
            raise OSError("the disk is gone")

    futures = [store.submit(leaf) for _ in range(20)]
    for future in futures:
        assert future.exception(20) is not None
    failing[0] = False
    assert store.write(leaf) == 0
    with store.read() as session:
        assert session.audit.size() == 1


def test_a_full_disk_is_an_outage_and_heals(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    migrate(url)
    store = open_store(url, clock=None)  # type: ignore[arg-type]

    @event.listens_for(store._writers, "connect")
    def _bound(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute("PRAGMA max_page_count = 200")

    kept = []
    try:
        caught = None
        while caught is None and len(kept) < 1000:
            request = records.request()
            future = store.submit(lambda s, r=request: s.requests.add([r]))
            caught = future.exception(20)
            kept += [request] if caught is None else []
        assert isinstance(caught, Unavailable)
        assert "SQL" not in str(caught)
        futures = [
            store.submit(lambda s: s.requests.add([records.request()] * 1)) for _ in range(9)
        ]
        assert {type(f.exception(20)) for f in futures} <= {Unavailable, type(None)}
        store.write(lambda s: [s.requests.delete(r.id) for r in kept[:20]])  # space again
        request = records.request()
        store.write(lambda s: s.requests.add([request]))
        with store.read() as session:
            assert session.requests.get(request.id) == request
            assert all(session.requests.get(r.id) for r in kept[20:])
    finally:
        store.close()


@pytest.mark.postgres
def test_a_server_that_crashes_is_an_outage_and_heals(tmp_path: Path) -> None:
    del tmp_path
    try:
        server = Server.create()
    except Exception as missing:  # noqa: BLE001 - the session fixture judges absence
        pytest.skip(str(missing))
    try:
        url = server.database()
        migrate(url)
        store = open_store(url, clock=None)  # type: ignore[arg-type]
        first = records.request()
        store.write(lambda s: s.requests.add([first]))
        server.stop(signal.SIGQUIT)
        with pytest.raises(Unavailable):
            store.write(lambda s: s.requests.add([records.request()]))
        with pytest.raises(Unavailable), store.read() as session:
            session.requests.get(first.id)
        server.start()
        second = records.request()
        store.write(lambda s: s.requests.add([second]))
        with store.read() as session:
            assert session.requests.get(first.id) == first
            assert session.requests.get(second.id) == second
        store.close()
    finally:
        server.remove()
