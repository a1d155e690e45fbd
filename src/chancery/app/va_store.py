"""What a validation authority reads: the record, or a feed that is replaced under it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import SqlStore, open_store
from chancery.domain.errors import Unavailable
from chancery.ports import Session

_SQLITE: Final = "sqlite:///"


class ReadingStore:
    """``ports.Store`` that only reads; a SQLite file that was replaced is opened anew."""

    def __init__(self, url: str, clock: SystemClock) -> None:
        self._url = url
        self._clock = clock
        self._file = Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self._store: SqlStore = open_store(url, clock=clock)
        self._former: SqlStore | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._store.read() as session:
            yield session

    def refresh(self) -> bool:
        """Look whether the file was replaced; say whether it was."""
        with self._lock:
            if (stamp := self._stamped()) == self._stamp:
                return False
            opened = open_store(self._url, clock=self._clock)
            if self._former is not None:
                self._former.close()  # nobody reads for so long
            self._former, self._store, self._stamp = self._store, opened, stamp
            return True

    def _stamped(self) -> int:
        if self._file is None:
            return 0
        try:
            return self._file.stat().st_ino
        except OSError:
            return 0

    def write(self, work: object) -> NoReturn:  # noqa: ARG002 - as the port has it
        raise _reads_only()

    def submit(self, work: object) -> NoReturn:  # noqa: ARG002 - as the port has it
        raise _reads_only()

    def close(self) -> None:
        for store in (self._store, self._former):
            if store is not None:
                store.close()


def _reads_only() -> Unavailable:
    return Unavailable("a validation authority writes nothing", rule="va.reads")
