"""Takes jobs off the table and does them, some at a time.

A job is held by a lease.  A runner that dies stops prolonging its leases, and
when they end another takes the jobs over: each is done at least once, and
once where nothing dies.  Attempts are counted when a job is taken, so that
one that kills its process cannot do so for ever.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from chancery.domain.errors import BadRequest, CAError, Conflict
from chancery.domain.work import Job, RetryPolicy
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.jobs.handler import Finish, Handler, Lease, Postponed

_log = logging.getLogger(__name__)

_IDLE_S: Final = 0.5
_LAST_S: Final = 0.2  # between two looks while the last handlers come to an end
_MAX_ERROR: Final = 500  # characters kept of what went wrong
_DIED: Final = "the process ended while it was at work on this"

GivenUp = Callable[[Session, Job, str, int], None]
"""Told of every job that failed for good, in the transaction that says so."""


class Runner:
    """One a process.  ``start``, then ``stop``; both may be called once."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        handlers: Sequence[Handler],
        *,
        node: str,
        at_once: int = 4,
        given_up: GivenUp = lambda *_: None,
        idle_s: float = _IDLE_S,
    ) -> None:
        """*node* names where this runs, the only one there; *at_once* bounds each kind."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._handlers = {handler.kind: handler for handler in handlers}
        self._node = node
        self._at_once = at_once
        self._given_up = given_up
        self._idle_s = idle_s
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._held: dict[str, Lease] = {}
        self._pool = ThreadPoolExecutor(at_once * max(1, len(handlers)), "job")
        self._threads = [
            threading.Thread(target=self._claim_forever, name="job-claim", daemon=True),
            threading.Thread(target=self._prolong_forever, name="job-lease", daemon=True),
        ]

    def start(self) -> None:
        """Take up at once what a runner before us left behind here; the rest as it comes."""
        now = self._clock.s()
        left = self._store.write(lambda session: session.jobs.reclaim(f"{self._node}/", now))
        if left:
            _log.info("taking up %d jobs that a process before us left", left)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more, let handlers come to an end, give back what they could not finish."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._threads[0].join()
        self._pool.shutdown(wait=True)
        self._threads[1].join()

    def wake(self) -> None:
        """There may be something to do: look now."""
        with self._changed:
            self._changed.notify_all()

    # Taking

    def _claim_forever(self) -> None:
        while not self._stopping.is_set():
            try:
                taken = self._claim()
            except CAError as error:
                _log.warning("no jobs can be taken: %s", error)
                taken = 0
            except Exception:  # noqa: BLE001 - told in full; the next look may go well
                _log.exception("no jobs can be taken")
                taken = 0
            if not taken:
                with self._changed:
                    if not self._stopping.is_set():
                        self._changed.wait(self._idle_s)

    def _claim(self) -> int:
        taken = 0
        for kind, handler in self._handlers.items():
            room = self._at_once - sum(one.job.kind == kind for one in list(self._held.values()))
            if room < 1:
                continue
            with self._store.read() as session:
                if not session.jobs.waits([kind], self._clock.s()):
                    continue
            for lease in self._take(kind, handler.policy, room):
                self._held[lease.holder] = lease
                self._pool.submit(self._work, handler, lease)
                taken += 1
        return taken

    def _take(self, kind: str, policy: RetryPolicy, room: int) -> list[Lease]:
        holder = f"{self._node}/{self._entropy(6).hex()}"
        now = self._clock.s()

        def unit(session: Session) -> list[Job]:
            return session.jobs.claim([kind], holder, now, policy.lease_s, room)

        jobs = self._store.write(unit)
        return [Lease(job, job.leased_by or "", self._stopping) for job in jobs]

    # Holding

    def _prolong_forever(self) -> None:
        """Prolong leases at a third of their length, for as long as anything is held."""
        shortest = min((h.policy.lease_s for h in self._handlers.values()), default=60)
        every_s = max(0.2, shortest / 3)
        while True:
            if self._stopping.wait(every_s):
                time.sleep(_LAST_S)
            held = list(self._held.values())
            if not held and self._stopping.is_set():
                return
            try:
                self._prolong(held)
            except Exception as error:  # noqa: BLE001 - an outage: leases last a little longer
                _log.warning("leases are not prolonged: %s", error)

    def _prolong(self, held: Sequence[Lease]) -> None:
        now = self._clock.s()
        due = [lease for lease in held if not lease.lost.is_set()]
        by_length: dict[int, list[Lease]] = {}
        for lease in due:
            length = self._handlers[lease.job.kind].policy.lease_s
            by_length.setdefault(length, []).append(lease)
        for length, leases in by_length.items():
            holders = [lease.holder for lease in leases]
            kept = self._store.write(
                lambda session, h=holders, until=now + length: session.jobs.extend(h, until)  # type: ignore[misc]
            )
            for lease in leases:
                if lease.holder not in kept and lease.holder in self._held:
                    lease.lost.set()

    # Doing

    def _work(self, handler: Handler, lease: Lease) -> None:
        try:
            self._do(handler, lease)
        except Exception as error:  # noqa: BLE001 - the lease ends by itself, and it is tried again
            _log.warning("job %s: its outcome is not on record: %s", lease.job.id, error)
        finally:
            self._held.pop(lease.holder, None)
            self.wake()

    def _do(self, handler: Handler, lease: Lease) -> None:
        job = lease.job
        if job.attempts > handler.policy.attempts:
            self._fail(handler, lease, job.error or _DIED)
            return
        try:
            finish = handler.run(lease)
        except Postponed:
            self._give_back(lease, wait_s=0, attempts=job.attempts - 1, error=job.error)
        except BadRequest as error:
            self._fail(handler, lease, str(error))
        except CAError as error:
            if isinstance(error, Conflict) and lease.lost.is_set():
                _log.warning("job %s: %s", job.id, error)
                return
            self._again(handler, lease, str(error))
        except Exception as error:  # noqa: BLE001 - a bug of the handler; told in full
            _log.exception("job %s (%s) failed", job.id, job.kind)
            self._again(handler, lease, f"internal error ({type(error).__name__})")
        else:
            self._finish(lease, finish)

    def _finish(self, lease: Lease, finish: Finish | None) -> None:
        def unit(session: Session) -> None:
            lease.demand(session)
            if finish is not None:
                finish(session)
            session.jobs.finish(lease.job.id, lease.holder)

        try:
            self._store.write(unit)
        except Conflict as error:  # it was done all the same; whoever has it now does it again
            _log.warning("job %s: %s", lease.job.id, error)

    def _again(self, handler: Handler, lease: Lease, error: str) -> None:
        job, policy = lease.job, handler.policy
        if job.attempts >= policy.attempts:
            self._fail(handler, lease, error)
            return
        wait_s = policy.wait_s(job.attempts)
        # Jobs that failed together must not come back together.
        wait_s += int.from_bytes(self._entropy(2)) * (wait_s // 4) >> 16
        _log.info("job %s (%s) is tried again in %d s: %s", job.id, job.kind, wait_s, error)
        self._give_back(lease, wait_s=wait_s, attempts=job.attempts, error=error)

    def _give_back(self, lease: Lease, *, wait_s: int, attempts: int, error: str | None) -> None:
        due_at = self._clock.s() + wait_s
        text = error[:_MAX_ERROR] if error else None

        def unit(session: Session) -> None:
            session.jobs.release(lease.job.id, lease.holder, due_at, attempts=attempts, error=text)

        self._store.write(unit)

    def _fail(self, handler: Handler, lease: Lease, error: str) -> None:
        job, now = lease.job, self._clock.ms()
        text = error[:_MAX_ERROR]
        _log.error("job %s (%s) is given up: %s", job.id, job.kind, text)

        def unit(session: Session) -> None:
            if session.jobs.give_up(job.id, lease.holder, text, now // 1000):
                handler.given_up(session, job, text, now)
                self._given_up(session, job, text, now)

        self._store.write(unit)
