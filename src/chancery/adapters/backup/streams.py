"""Files as age wants them: one to read from, one to write to."""

import hashlib
from collections.abc import Iterator
from typing import IO, Any


class Pulled:
    """A file that age reads from, filled by a generator; keeps what that raised."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.error: Exception | None = None
        self._left = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        while not self._left:
            try:
                part = next(self._parts, None)
            except Exception as error:
                self.error = error
                raise
            if part is None:
                return b""
            self._left = memoryview(part)
        taken = self._left if size < 0 else self._left[:size]
        self._left = self._left[len(taken) :]
        return bytes(taken)


class Hashing:
    """A file that age writes to, hashed on the way; keeps what its disk said."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.octets = 0
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        octets = bytes(data)
        try:
            self._file.write(octets)
        except OSError as error:
            self.error = error
            raise
        self._hash.update(octets)
        self.octets += len(octets)
        return len(octets)

    def flush(self) -> None:
        self._file.flush()

    def hex(self) -> str:
        return self._hash.hexdigest()
