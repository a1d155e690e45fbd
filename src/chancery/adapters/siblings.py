"""Worker processes of one machine speak to each other: Unix sockets in one private directory.

A caller sends pieces of work, and takes their answers in the same order; the
sibling begins with the next piece before the last one is done.  A frame is a
4-octet big-endian length and that many octets.
"""

import contextlib
import os
import queue
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from chancery.domain.errors import Unavailable

Later = Callable[[], bytes]
"""Waits for an answer and returns it."""
Work = Callable[[bytes], Later]
"""Begins with a piece of work; called in order."""

MAX_FRAME: Final = 64 * 1024 * 1024
_PATIENCE_S: Final = 60.0
"""Seconds for one answer: some hundred certificates, on a busy machine."""
_UCRED: Final = struct.Struct("=iII")
_log = structlog.get_logger("siblings")


class Call:
    """One conversation with a sibling.  For one thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._due: deque[int] = deque()
        self._asked = 0

    @property
    def waiting(self) -> int:
        """Pieces whose answers were not taken yet."""
        return len(self._due)

    def ask(self, payload: bytes) -> Later:
        """Send a piece of work.  Answers are taken in order; Unavailable if they do not come."""
        number, self._asked = self._asked, self._asked + 1
        self._due.append(number)
        failed: OSError | None = None
        try:
            _send(self._connection, payload)
        except OSError as error:
            failed = error

        def later() -> bytes:
            if self._due.popleft() != number:
                raise RuntimeError("bug: answers of a sibling are taken in order")
            try:
                answer = None if failed is not None else _receive(self._connection)
            except OSError:
                answer = None
            if answer is None:
                raise Unavailable(
                    "another process of this service ended over this",
                    rule="worker.away",
                    remedy="look whether it was done before you send it again",
                )
            return answer

        return later

    def close(self) -> None:
        self._connection.close()


class Siblings:
    """``worker-1.sock`` and so on in *directory*, whose mode is 0700; *name* is one's own."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._own = directory / f"{name}.sock"
        self._listener: socket.socket | None = None

    def call(self) -> Call | None:
        """Begin a conversation with a sibling that is at work; None if there is none."""
        for path in sorted(self._directory.glob("worker-*.sock")):
            if path == self._own:
                continue
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_PATIENCE_S)
            try:
                connection.connect(str(path))
            except OSError:  # of a worker that ended
                connection.close()
                continue
            return Call(connection)
        return None

    def serve(self, work: Work) -> None:
        """Do what siblings ask, in threads of its own, until ``close``."""
        self._own.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._own))
        except OSError as error:  # the others do everything themselves
            _log.warning("no-socket", error=error.strerror or str(error))
            listener.close()
            return
        self._own.chmod(0o600)
        listener.listen(16)
        self._listener = listener
        threading.Thread(
            target=self._accept, args=(listener, work), name="siblings", daemon=True
        ).start()

    def close(self) -> None:
        if self._listener is not None:
            self._own.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self, listener: socket.socket, work: Work) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            if _UCRED.unpack(peer)[1] != os.geteuid():
                connection.close()
                continue
            threading.Thread(
                target=_begin, args=(connection, work), name="sibling", daemon=True
            ).start()


def _begin(connection: socket.socket, work: Work) -> None:
    """Take pieces of work as they come; another thread answers them."""
    begun: queue.SimpleQueue[Later | None] = queue.SimpleQueue()
    answering = threading.Thread(target=_answer, args=(connection, begun), daemon=True)
    answering.start()
    try:
        while (payload := _receive(connection)) is not None:
            begun.put(work(payload))
    except Exception as error:  # noqa: BLE001 - the caller sees the connection end
        _log.warning("broken-off", error=type(error).__name__)
    begun.put(None)


def _answer(connection: socket.socket, begun: "queue.SimpleQueue[Later | None]") -> None:
    try:
        while (later := begun.get()) is not None:
            _send(connection, later())
    except Exception as error:  # noqa: BLE001 - the caller sees the connection end
        _log.warning("not-answered", error=type(error).__name__)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _send(connection: socket.socket, payload: bytes) -> None:
    connection.sendall(len(payload).to_bytes(4) + payload)


def _receive(connection: socket.socket) -> bytes | None:
    """One frame; None where the peer has ended."""
    header = _exactly(connection, 4)
    length = int.from_bytes(header)
    if len(header) < 4 or length > MAX_FRAME:
        return None
    payload = _exactly(connection, length)
    return payload if len(payload) == length else None


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = connection.recv(min(length, 1 << 18))
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
