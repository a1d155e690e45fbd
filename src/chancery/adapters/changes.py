"""A counter for all processes of a machine: has policy, an account, or a status changed?"""

import fcntl
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Final

_COUNT: Final = struct.Struct("=Q")


class SharedChanges:
    """``ports.Changes`` in a file that every process maps: reading it costs no system call."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, _COUNT.size)
        self._map = mmap.mmap(self._file, _COUNT.size)
        self._lock = threading.Lock()

    def count(self) -> int:
        number: int = _COUNT.unpack_from(self._map)[0]
        return number

    def bump(self) -> None:
        # flock keeps processes apart, but not the threads of one.
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                _COUNT.pack_into(self._map, 0, self.count() + 1)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self._map.close()
        os.close(self._file)
