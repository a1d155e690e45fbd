"""Leased jobs: each is done, by one process at a time, whoever dies in between."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chancery.adapters.storage import SqlStore, open_store
from chancery.domain.errors import BadRequest, NotFound, Unavailable, WrongState
from chancery.domain.work import Job, JobState, RetryPolicy
from chancery.ports import Session
from chancery.services.jobs import Finish, Lease, Postponed, Runner

NOW = 1_790_000_000


class Ticking:
    """Starts at NOW and runs with the real time."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.ahead = 0

    def ms(self) -> int:
        return int((NOW + self.ahead + time.monotonic() - self.started) * 1000)

    def s(self) -> int:
        return self.ms() // 1000


def job(name: str, **changes: object) -> Job:
    made = Job(name, "note", "{}", NOW, 0, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def put(store: SqlStore, *jobs: Job) -> None:
    store.write(lambda session: session.jobs.add(jobs))


def claim(store: SqlStore, now: int, holder: str = "one", limit: int = 10) -> list[Job]:
    return store.write(lambda s: s.jobs.claim(["note"], holder, now, 60, limit))


def test_a_claim_takes_what_is_due_and_nobody_else_gets_it(store: SqlStore) -> None:
    put(store, job("a"), job("b", due_at=NOW + 5), job("c", kind="other"))
    with store.read() as session:
        assert session.jobs.waits(["note"], NOW)
        assert not session.jobs.waits(["note"], NOW - 1)
    (taken,) = claim(store, NOW)
    assert (taken.id, taken.attempts, taken.state) == ("a", 1, JobState.RUNNING)
    assert claim(store, NOW, "two") == []
    assert [one.id for one in claim(store, NOW + 5, "two")] == ["b"]
    (again,) = claim(store, NOW + 61, "two", 1)  # the lease is over
    assert (again.id, again.attempts) == ("a", 2)
    lost = store.write(lambda s: s.jobs.finish("a", taken.leased_by or ""))
    assert lost is False
    assert store.write(lambda s: s.jobs.finish("a", again.leased_by or "")) is True


def test_a_lease_is_prolonged_by_its_holder_alone(store: SqlStore) -> None:
    put(store, job("a"))
    (taken,) = claim(store, NOW)
    holder = taken.leased_by or ""
    assert store.write(lambda s: s.jobs.extend([holder, "thief/a"], NOW + 500)) == [holder]
    assert claim(store, NOW + 499) == []
    assert store.write(lambda s: s.jobs.held("a", holder)) is True
    assert store.write(lambda s: s.jobs.held("a", "thief/a")) is False


def test_failed_jobs_wait_for_a_person(store: SqlStore) -> None:
    put(store, job("a"), job("b", due_at=NOW + 1))
    (taken,) = claim(store, NOW)
    store.write(lambda s: s.jobs.give_up("a", taken.leased_by or "", "no", NOW))
    assert [one.id for one in claim(store, NOW + 1000)] == ["b"]
    with store.read() as session:
        (failed,) = session.jobs.find(JobState.FAILED, None, None, 10)
        assert (failed.id, failed.error, failed.failed_at) == ("a", "no", NOW)
        assert session.jobs.counts() == {
            ("note", JobState.FAILED): 1,
            ("note", JobState.RUNNING): 1,
        }
    with pytest.raises(WrongState):
        store.write(lambda s: s.jobs.retry("b", NOW))
    with pytest.raises(NotFound):
        store.write(lambda s: s.jobs.retry("none", NOW))
    store.write(lambda s: s.jobs.retry("a", NOW))
    (again,) = claim(store, NOW + 1000)
    assert (again.id, again.attempts, again.state) == ("a", 1, JobState.RUNNING)
    store.write(lambda s: s.jobs.give_up("a", again.leased_by or "", "no", NOW))
    store.write(lambda s: s.jobs.discard("a"))
    with store.read() as session:
        assert session.jobs.get("a") is None


def test_what_a_dead_process_of_the_same_place_held_is_due_at_once(store: SqlStore) -> None:
    put(store, job("a"), job("b"), job("c"))
    claim(store, NOW, "here-1/old", 1)
    claim(store, NOW, "here-10/other", 1)
    assert store.write(lambda s: s.jobs.reclaim("here-1/", NOW)) == 1
    assert {one.id for one in claim(store, NOW, "here-1/new")} == {"a", "c"}


class Doing:
    """A handler that does what the test says."""

    kind = "note"

    def __init__(self, act: Callable[[Lease], Finish | None], policy: RetryPolicy) -> None:
        self._act = act
        self.policy = policy
        self.lost: list[str] = []

    def run(self, lease: Lease) -> Finish | None:
        return self._act(lease)

    def given_up(self, session: Session, job: Job, error: str, now_ms: int) -> None:
        self.lost.append(error)


@contextmanager
def running(store: SqlStore, handler: Doing, clock: Ticking) -> Iterator[Runner]:
    runner = Runner(store, clock, os.urandom, [handler], node="test", idle_s=0.02)
    runner.start()
    yield runner
    runner.stop()


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def left(store: SqlStore) -> list[Job]:
    with store.read() as session:
        return session.jobs.find(None, None, None, 100)


def test_what_fails_is_tried_again_with_growing_pauses(store: SqlStore) -> None:
    clock, seen = Ticking(), []

    def act(lease: Lease) -> None:
        seen.append(lease.job.attempts)
        if len(seen) < 3:
            raise Unavailable("away")

    put(store, job("a"))
    with running(store, Doing(act, RetryPolicy(first_s=100, longest_s=150)), clock):
        until(lambda: len(seen) == 1 and left(store)[0].state is JobState.WAITING)
        assert clock.s() + 95 <= (left(store)[0].due_at or 0) <= clock.s() + 125
        clock.ahead += 126
        until(lambda: len(seen) == 2 and left(store)[0].state is JobState.WAITING)
        assert clock.s() + 145 <= (left(store)[0].due_at or 0) <= clock.s() + 190
        clock.ahead += 190
        until(lambda: not left(store))
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "tries"), [(Unavailable("away"), 2), (BadRequest("never"), 1), (KeyError("bug"), 2)]
)
def test_what_fails_for_good_is_kept_and_told(
    store: SqlStore, error: Exception, tries: int
) -> None:
    seen: list[int] = []

    def act(lease: Lease) -> None:
        seen.append(lease.job.attempts)
        raise error

    put(store, job("a"))
    handler = Doing(act, RetryPolicy(attempts=2, first_s=0))
    with running(store, handler, Ticking()):
        until(lambda: [one.state for one in left(store)] == [JobState.FAILED])
    assert len(seen) == tries
    (failed,) = left(store)
    assert handler.lost == [failed.error]
    assert "bug" not in (failed.error or "")


def test_a_job_that_kills_its_process_does_so_a_few_times_only(store: SqlStore) -> None:
    put(store, job("a", attempts=2))  # as it stands after two processes died with it
    ran = threading.Event()
    handler = Doing(lambda _: ran.set(), RetryPolicy(attempts=2))
    with running(store, handler, Ticking()):
        until(lambda: [one.state for one in left(store)] == [JobState.FAILED])
    assert not ran.is_set()


def test_a_stop_gives_back_what_is_not_finished(store: SqlStore) -> None:
    begun = threading.Event()

    def act(lease: Lease) -> None:
        begun.set()
        assert lease.stopping.wait(20)
        raise Postponed

    put(store, job("a"))
    with running(store, Doing(act, RetryPolicy()), Ticking()):
        assert begun.wait(20)
    (back,) = left(store)
    assert (back.state, back.attempts) == (JobState.WAITING, 0)


WORKER = """
import os, sys, time
from pathlib import Path
from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.domain.audit import AuditEvent
from chancery.domain.work import RetryPolicy
from chancery.services.jobs import Runner

url, log, name = sys.argv[1:]
clock = SystemClock()
store = open_store(url, clock=clock)
out = open(log, "a", buffering=1)

class Handler:
    kind = "note"
    policy = RetryPolicy(lease_s=3)
    def run(self, lease):
        print(lease.job.id, file=out)
        if name == "doomed" and lease.job.payload == "slow":
            time.sleep(60)
        done = AuditEvent("job.done", name, "system", "", lease.job.id)
        return lambda session: session.audit.append([done], clock.ms())
    def given_up(self, *_):
        raise AssertionError

runner = Runner(store, clock, os.urandom, [Handler()], node=name, at_once=8, idle_s=0.05)
runner.start()
print("ready", flush=True)
sys.stdin.read()
runner.stop()
store.close()
"""


@pytest.mark.fault
def test_of_2000_jobs_none_is_lost_when_a_process_is_killed(url: str, tmp_path: Path) -> None:
    """Four processes; one holds leases when it is killed.  Its jobs alone are begun twice."""
    store = open_store(url, clock=Ticking())
    names = [f"job-{n:04}" for n in range(2000)]
    now = int(time.time())
    payload = {name: "slow" if n % 50 == 0 else "quick" for n, name in enumerate(names)}
    put(store, *(Job(name, "note", payload[name], now - n, 0, now) for n, name in enumerate(names)))
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(tmp_path / f"{name}.log"), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("doomed", "b", "c", "d")
    }  # fmt: skip
    try:
        held: list[Job] = []

        def holds() -> bool:
            with store.read() as session:
                running_now = session.jobs.find(JobState.RUNNING, None, None, 100)
            held[:] = [one for one in running_now if (one.leased_by or "").startswith("doomed")]
            return sum(one.payload == "slow" for one in held) >= 1

        until(holds)
        processes["doomed"].send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while left(store):
            assert time.monotonic() < deadline, len(left(store))
            time.sleep(0.1)
    finally:
        for process in processes.values():
            process.communicate("" if process.poll() is None else None)
    with store.read() as session:
        done = Counter(
            record.event.subject_id
            for record in session.audit.records(0, session.audit.size())
            if record.event.action == "job.done"
        )
    store.close()
    assert done == Counter(names)  # on record exactly once each
    begun = Counter(line for log in tmp_path.glob("*.log") for line in log.read_text().splitlines())
    assert set(begun) == set(names)
    doomed = set((tmp_path / "doomed.log").read_text().splitlines())
    assert {name for name, count in begun.items() if count > 1} <= doomed
