"""The signer's door: a Unix socket, one thread a connection, one request at a time on each."""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from chancery.domain.errors import CAError, Unavailable
from chancery.signer import protocol
from chancery.signer.dispatch import perform
from chancery.signer.long_messages import BeginCrl, CrlPart, LongCrl
from chancery.signer.protocol import Batch, Done, Failure, Request, Signed
from chancery.signer.service import Signer

MAX_CONNECTIONS: Final = 128
SLOW_PEER_S: Final = 30.0
"""How long a peer may pause inside a frame that it began, or before it takes an answer."""
_STACK: Final = 1024 * 1024
_UCRED: Final = struct.Struct("=iII")

Log = Callable[..., None]


class Server:
    """Answers on *path* until ``stop``.  Only processes of *uid* are heard."""

    def __init__(self, signer: Signer, path: Path, *, uid: int, log: Log) -> None:
        """Bind the socket: mode 0600 in a directory that is 0700.  Raises OSError, Unavailable."""
        self._signer = signer
        self._uid = uid
        self._log = log
        self._path = path
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._stopping = False
        self._listener = _listen(path)

    def run(self) -> None:
        """Accept until stopped."""
        threading.stack_size(_STACK)
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if self._stopping:
                    return
                self._log("accept-failed", error=error.strerror)
                time.sleep(0.1)  # out of descriptors: others must first let go of some
                continue
            self._admit(connection)

    def stop(self, patience_s: float = 10.0) -> None:
        """Hear nobody any more, finish what was begun, and return."""
        self._stopping = True
        self._path.unlink(missing_ok=True)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            open_now = dict(self._connections)
            for connection in open_now:
                with suppress(OSError):  # the peer may have gone in this very moment
                    connection.shutdown(socket.SHUT_RD)
        for thread in open_now.values():
            thread.join(patience_s)

    def _admit(self, connection: socket.socket) -> None:
        peer = _UCRED.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        if peer[1] != self._uid:
            self._log("peer-refused", pid=peer[0], uid=peer[1])
            connection.close()
            return
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS or self._stopping:
                self._log("too-many-connections", pid=peer[0])
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(SLOW_PEER_S)
        begun = select.poll()
        begun.register(connection, select.POLLIN)
        long_crl = LongCrl(self._signer.sign_crl)
        try:
            # Between frames a peer may be silent as long as it likes.
            while begun.poll() and (frame := protocol.receive(connection)) is not None:
                request = protocol.decode_request(frame)
                del frame  # of a long part there are enough copies
                protocol.send(connection, self._answer(request, long_crl))
        except protocol.Garbled as garbled:
            self._log("garbled", error=str(garbled)[:200])
        except (OSError, Unavailable) as error:
            self._log("connection-lost", error=str(error)[:200])
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _answer(self, request: Request, long_crl: LongCrl) -> bytes:
        try:
            if isinstance(request, BeginCrl | CrlPart):
                signature = long_crl.perform(request)
                return protocol.encode(Done() if signature is None else Signed(signature))
            answer = perform(self._signer, request)
            if isinstance(answer, Batch):
                for one in answer.results:
                    if isinstance(one, Failure):
                        self._log("refused", operation="SignCertificates", rule=one.rule)
            return protocol.encode(answer)
        except CAError as error:
            self._log("refused", operation=type(request).__name__, rule=error.rule)
            return protocol.encode(Failure.of(error))
        except Exception as error:  # noqa: BLE001 - a bug must not end the process, nor tell its text
            self._log("bug", operation=type(request).__name__, error=type(error).__name__)
            return protocol.encode(
                Failure.of(Unavailable("the signer failed inside", rule="signer.internal"))
            )


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_mode & 0o077:
        raise Unavailable(
            f"{path.parent} must be closed to everybody else",
            field="socket",
            rule="file.private",
            remedy=f"chmod 0700 {path.parent}",
        )
    path.unlink(missing_ok=True)  # the journal's lock has shown that no other signer lives
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o077)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    return listener
