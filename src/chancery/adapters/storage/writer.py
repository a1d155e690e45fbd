"""Group commit: one thread, one connection, many units of work, one fsync.

A certificate costs about a millisecond of waiting for the disk and a tenth of
that in work, so whoever waits at the same moment shares a commit.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, NamedTuple, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.engine import lock_for_write
from chancery.adapters.storage.faults import translate, unavailable
from chancery.adapters.storage.link import Link
from chancery.adapters.storage.session import SqlSession
from chancery.domain.errors import Unavailable

T = TypeVar("T")

_BATCH: Final = 128  # bounds how long the first unit waits for the last
_QUEUE: Final = 20_000


class _Unit(NamedTuple):
    work: Callable[[SqlSession], Any]
    future: Future[Any]


class _Outcome(NamedTuple):
    result: Any
    error: BaseException | None


class Writer:
    """Runs units in order of arrival; none waits for company, all that wait together share."""

    def __init__(
        self,
        engine: Engine,
        turn: AbstractContextManager[None],
        moved: Callable[[], None] | None = None,
    ) -> None:
        """*moved* is called once a change of status is durable, before anybody hears of success."""
        self._engine = engine
        self._turn = turn
        self._tell = moved
        self._moved = False
        self._connection: Connection | None = None
        self._waiting: deque[_Unit] = deque()
        self._arrival = threading.Condition()
        self._closed = False
        self._inside = False
        self._thread = threading.Thread(target=self._serve, name="chancery-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[SqlSession], T]) -> Future[T]:
        """Queue *work*; the future resolves after its commit is durable, or it failed."""
        if self._inside and threading.current_thread() is self._thread:
            raise RuntimeError("bug: a unit of work asked for another; use its own session")
        future: Future[T] = Future()
        with self._arrival:
            if self._closed:
                raise Unavailable("the database is closed", rule="storage.closed")
            if len(self._waiting) >= _QUEUE:
                raise Unavailable(
                    "too many writes are waiting", rule="storage.backlog", remedy="try again later"
                )
            self._waiting.append(_Unit(work, future))
            self._arrival.notify()
        return future

    def write(self, work: Callable[[SqlSession], T]) -> T:
        """Queue *work* and wait for its result."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("bug: waiting for a write inside the writer thread; it would hang")
        return self.submit(work).result()

    def close(self) -> None:
        """Commit what waits, then stop."""
        with self._arrival:
            self._closed = True
            self._arrival.notify()
        self._thread.join()
        if self._connection is not None:
            self._connection.close()

    def _serve(self) -> None:
        while self._wait():
            with self._turn:  # what arrives while we wait for it comes along
                live = [unit for unit in self._take() if unit.future.set_running_or_notify_cancel()]
                outcomes = [self._commit_one(live[0])] if len(live) == 1 else self._commit_all(live)
            if self._moved:  # also if the commit failed: then somebody looks in vain
                self._moved = False
                if self._tell is not None:
                    self._tell()
            for unit, outcome in zip(live, outcomes, strict=True):
                if outcome.error is None:
                    unit.future.set_result(outcome.result)
                else:
                    unit.future.set_exception(outcome.error)

    def _wait(self) -> bool:
        """Wait for units; False when closed and drained."""
        with self._arrival:
            while not self._waiting and not self._closed:
                self._arrival.wait()
            return bool(self._waiting)

    def _take(self) -> list[_Unit]:
        """At most _BATCH of the units that wait."""
        with self._arrival:
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _commit_one(self, unit: _Unit) -> _Outcome:
        try:
            with self._transaction() as connection:
                result = self._run(unit, connection)
        except SQLAlchemyError as error:
            return _Outcome(None, translate(error))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            return _Outcome(None, error)
        return _Outcome(result, None)

    def _commit_all(self, units: list[_Unit]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            with self._transaction() as connection:
                for unit in units:
                    outcomes.append(self._run_in_savepoint(unit, connection))  # noqa: PERF401 - kept if one raises
        except Exception as error:  # noqa: BLE001 - the writer must outlive it
            # The transaction is gone, or its commit failed: nobody may hear of success.
            failed = [outcome.error for outcome in outcomes] + [None] * len(units)
            return [
                _Outcome(None, own or _outage(error)) for own, _ in zip(failed, units, strict=False)
            ]
        return outcomes

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction on the one connection, which is kept: a pool would cost more than a commit.

        After an error it is thrown away, since it may be broken.
        """
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                lock_for_write(self._connection)
                yield self._connection
        except BaseException:
            connection, self._connection = self._connection, None
            connection.close()
            raise

    def _run_in_savepoint(self, unit: _Unit, connection: Connection) -> _Outcome:
        say = _saying(connection)
        say("SAVEPOINT unit")
        try:
            outcome = _Outcome(self._run(unit, connection), None)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            say("ROLLBACK TO SAVEPOINT unit")
            outcome = _Outcome(None, error)
        say("RELEASE SAVEPOINT unit")
        return outcome

    def _run(self, unit: _Unit, connection: Connection) -> Any:
        link = Link(connection)
        self._inside = True
        try:
            result = unit.work(SqlSession(link))
        finally:
            self._inside = False
            self._moved |= link.moved
            link.end()
        if link.failure is not None:  # the unit swallowed it, and half of its work is missing
            raise link.failure
        return result


def _saying(connection: Connection) -> Callable[[str], object]:
    """How to say something short: to SQLite by its own driver, at a tenth of the cost."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return cast("Callable[[str], object]", driver.execute)
    return connection.exec_driver_sql


def _outage(error: Exception) -> Exception:
    """Each waiter gets an exception of its own: a shared one would mix their tracebacks."""
    away = unavailable()
    away.__cause__ = error
    return away
