"""A sink that puts a backup's content into a directory and an empty database."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from chancery.adapters.storage.dump import Restoring
from chancery.domain.errors import BadRequest

_AT_ONCE: Final = 1000  # rows of one statement


class Unpacking:
    """Files below *folder*, rows into *record*.  The directory is ours alone until it is whole."""

    def __init__(self, folder: Path, record: Restoring) -> None:
        self._folder = folder
        self._record = record
        self._file: IO[bytes] | None = None
        self._table: tuple[str, Sequence[str]] = ("", ())
        self._waiting: list[tuple[Any, ...]] = []

    def file(self, path: PurePosixPath, mode: int, *, folder: bool) -> None:
        self._flush()
        target = self._folder / path
        parent = target if folder else target.parent
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder:
            parent.chmod(mode)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(target, flags, 0o600)
        except FileExistsError:
            raise BadRequest(
                f"the file {path} twice", field="backup", rule="backup.content"
            ) from None
        os.fchmod(descriptor, mode)
        self._file = os.fdopen(descriptor, "wb")

    def data(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)

    def file_end(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def table(self, name: str, columns: Sequence[str]) -> None:
        self._flush()
        self._record.begin(name, columns)
        self._table = (name, columns)

    def rows(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._waiting += rows
        if len(self._waiting) >= _AT_ONCE:
            self._flush()

    def end(self) -> None:
        """Everything has come."""
        self._flush()

    def _flush(self) -> None:
        if self._waiting:
            rows, self._waiting = self._waiting, []
            self._record.add(*self._table, rows)
