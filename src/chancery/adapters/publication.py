"""A directory of files for relying parties: each is whole and durable, or not there."""

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from chancery.domain.errors import Unavailable

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_SYNCING: Final = 8  # fsyncs at once: the disk merges them into few writes of its journal
_LEFT_S: Final = 3_600  # seconds after which nobody writes a temporary file any more
_MODE: Final = 0o644  # what is published is for everyone; the directory may say otherwise


class DirectoryPublisher:
    """``ports.Publisher`` over *root*, which is made when first needed.

    A file is written beside its place, synced and renamed into it, and then
    the directory is synced: after a crash there is the old file or the new.
    Unavailable if the file system refuses (disk full, read-only).
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def publish(self, name: str, data: bytes) -> None:
        """Put *data* in the place of *name*, a relative path with ``/``."""
        with _reported(name):
            target = self._target(name)
            _make_directory(target.parent)
            _replace(target, data)
            _sync_directory(target.parent)
            _tidy(target)

    def publish_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        targets = [(self._target(name), data) for name, data in files]
        directories = {target.parent for target, _ in targets}
        with _reported(str(self._root)), ThreadPoolExecutor(_SYNCING) as pool:
            for directory in directories:
                _make_directory(directory)
            for _ in pool.map(lambda pair: _replace(*pair), targets):
                pass  # raises what went wrong with that file
            for directory in directories:
                _sync_directory(directory)

    def published(self, name: str) -> bytes | None:
        with _reported(name):
            try:
                return self._target(name).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def stamp(self, name: str) -> object | None:
        with _reported(name):
            try:
                found = self._target(name).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return found.st_ino, found.st_mtime_ns, found.st_size

    def withdraw(self, name: str) -> None:
        with _reported(name), contextlib.suppress(FileNotFoundError):
            target = self._target(name)
            target.unlink()
            _sync_directory(target.parent)

    def discard(self, directory: str) -> None:
        with _reported(directory), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._target(directory))

    def _target(self, name: str) -> Path:
        # No name begins with a dot, so none climbs out and none is a temporary file.
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name to publish under: {name!r}")
        return self._root / name


def _replace(target: Path, data: bytes) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _tidy(target: Path) -> None:
    """Remove what writers of the same file left behind who were killed long ago."""
    now = time.time()
    for left in target.parent.glob(f".{target.name}.*"):
        with contextlib.suppress(OSError):
            if now - left.stat().st_mtime > _LEFT_S:
                left.unlink()


def _make_directory(directory: Path) -> None:
    """Make it and its parents, and make their entries durable."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _reported(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            "publishing is not possible now",
            field=name,
            rule="publication.unavailable",
            remedy=f"look at the disk: {error.strerror}",
        ) from error
