"""Is the jobs process of this machine there?  A lock says so: it goes when its holder goes."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from chancery.settings import Settings

_GONE_S: Final = 15.0
"""It may be away for so long: the supervisor starts it again within a second or two."""

_STUCK_S: Final = 300.0
"""A large CRL takes a while; a schedule that stands still for longer is stuck."""


def presence_file(settings: Settings) -> Path:
    """Beside the signer's socket: where the processes of one machine meet."""
    return settings.signer.socket.parent / "jobs.lock"


class Presence:
    """*path* is a file that all processes of the machine can lock."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._seen = float("-inf")

    def take(self) -> None:
        """Say "this place is mine", until this process ends; waits for another that holds it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, 0)

    def ready(self) -> None:
        """Say "I am up"."""
        os.pwrite(self._file, b"ready\n", 0)

    def beat(self) -> None:
        """Say "and I am at work"."""
        os.utime(self._file)

    def missing(self) -> str | None:
        """What is wrong with the jobs process, None if all is well."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            facts = os.fstat(self._file)
            idle_s = time.time() - facts.st_mtime
            if facts.st_size:
                self._seen = time.monotonic()
                return f"has not moved for {idle_s:.0f} s" if idle_s > _STUCK_S else None
        else:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return None if time.monotonic() - self._seen < _GONE_S else "not running"
