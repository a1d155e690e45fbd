"""Whose turn it is to write: SQLite takes one writer, and lets the others guess when to come back.

Its busy handler sleeps in growing steps, so under load a waiting process comes
late to a lock that is free.  Waiting in the kernel for a lock of our own hands
over at once.
"""

import fcntl
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from sqlalchemy import URL


class Turn:
    """A lock between processes, for one thread of each."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def __del__(self) -> None:
        os.close(self._file)


def turn_of(url: URL) -> AbstractContextManager[None]:
    """The turn of that database; PostgreSQL queues its writers well by itself."""
    if url.drivername == "sqlite" and url.database:
        return Turn(Path(url.database + "-turn"))
    return nullcontext()
