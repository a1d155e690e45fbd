"""The record: snapshots to read, units of work to write."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from chancery.adapters.storage.engine import parse_url, reading_engine, writing_engine
from chancery.adapters.storage.faults import translate
from chancery.adapters.storage.link import Link
from chancery.adapters.storage.revision import check_revision
from chancery.adapters.storage.session import SqlSession
from chancery.adapters.storage.turn import turn_of
from chancery.adapters.storage.writer import Writer
from chancery.ports import Clock, Session

T = TypeVar("T")


class SqlStore:
    """Implements ``ports.Store`` on SQLite or PostgreSQL.

    An Unavailable from ``write`` means that no success was promised.  Where
    the connection broke during the commit itself the work may still be on
    record: intents, compare-and-set and idempotency keys make a retry safe.
    """

    def __init__(self, url: str, moved: Callable[[], None] | None = None) -> None:
        parsed = parse_url(url)
        self._readers = reading_engine(parsed)
        self._writers = writing_engine(parsed)
        try:
            check_revision(self._readers)
        except BaseException:
            self._readers.dispose()
            raise
        self.embedded = parsed.drivername == "sqlite"
        """Whether this machine alone uses the record."""
        self._writer = Writer(self._writers, turn_of(parsed), moved)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session whose reads all see the same moment, and which cannot write."""
        try:
            with self._readers.begin() as connection:
                link = Link(connection)
                try:
                    yield SqlSession(link)
                finally:
                    link.end()
        except SQLAlchemyError as error:
            raise translate(error) from error

    def write(self, work: Callable[[Session], T]) -> T:
        return self._writer.write(work)

    def submit(self, work: Callable[[Session], T]) -> Future[T]:
        return self._writer.submit(work)

    def close(self) -> None:
        """Commit what waits, then let go of every connection."""
        self._writer.close()
        self._writers.dispose()
        self._readers.dispose()


def open_store(
    url: str,
    *,
    clock: Clock,  # noqa: ARG001 - every time is an argument yet
    moved: Callable[[], None] | None = None,
) -> SqlStore:
    """Open a database whose schema is current; Unavailable names the command if it is not.

    *moved* is called whenever a certificate's status has changed here, before that is answered.
    """
    return SqlStore(url, moved)
