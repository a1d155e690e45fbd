"""A store for those who change policy: whoever keeps some of it looks again after each write."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import TypeVar

from chancery.ports import Changes, Session, Store

T = TypeVar("T")


class AnnouncedStore:
    """*store*, and every process of this machine is told before a write is answered."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    def read(self) -> AbstractContextManager[Session]:
        return self._store.read()

    def write(self, work: Callable[[Session], T]) -> T:
        try:
            return self._store.write(work)
        finally:  # an outage may come after the commit
            self._changes.bump()

    def submit(self, work: Callable[[Session], T]) -> "Future[T]":
        told: Future[T] = Future()

        def done(future: "Future[T]") -> None:
            self._changes.bump()
            if error := future.exception():
                told.set_exception(error)
            else:
                told.set_result(future.result())

        self._store.submit(work).add_done_callback(done)
        return told

    def close(self) -> None:
        self._store.close()
