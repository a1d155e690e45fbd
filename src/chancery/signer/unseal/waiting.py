"""A sealed signer: it waits on a Unix socket of its own until enough custodians have come.

One line of JSON in, one out, per connection; only processes of the same
account are heard.  Shares come in one by one, each judged at once; nothing of
them is written or logged.
"""

import json
import select
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from chancery.domain.custody import ShareSet, Standing
from chancery.domain.errors import CAError, Conflict, Unavailable
from chancery.signer.unseal import record
from chancery.signer.unseal.custodians import KIND, Gathered, share_set_of
from chancery.signer.vault import Vault, open_vault, read_header
from chancery.wire import custody

_LIMIT: Final = 4_096  # octets of one request: a share has 300
_PATIENCE_S: Final = 5.0
_TICK_S: Final = 0.2
_UCRED: Final = struct.Struct("=iII")

Log = Callable[..., None]


class Gathering:
    """The shares brought so far for one vault."""

    def __init__(self, directory: Path, log: Log) -> None:
        """Raises Unavailable for a vault that custodians do not open."""
        metadata = read_header(directory)["metadata"]
        if metadata.get("unseal") != KIND:
            raise Unavailable(
                f"this vault opens with a {metadata.get('unseal')}, not with custodians",
                field="signer.custodians",
                rule="unseal.kind",
                remedy="`chancery custodian seal` gives it to custodians",
            )
        self._directory = directory
        self._log = log
        self._set: Final[ShareSet] = share_set_of(metadata["parameters"])
        self._given: dict[str, str] = {}
        self.vault: Vault | None = None

    def standing(self) -> Standing:
        return Standing(self._set, tuple(self._given))

    def take(self, text: str) -> str:
        """Take one share; whose it is.  Opens the vault with the last one that is needed."""
        try:
            holder, words = custody.recognise(self._set, text)
            if holder.name in self._given:
                raise Conflict(
                    f"{holder.name} has given a share already",
                    field="share",
                    rule="shares.twice",
                    remedy="let another custodian come: " + ", ".join(self.standing().others),
                )
            self._given[holder.name] = words
            if not self.standing().missing:
                self._open()
        except CAError as error:
            self._tell("custody.share-refused", failed=True, rule=error.rule or "")
            raise
        self._tell("custody.share-accepted", custodian=holder.name, missing=self.standing().missing)
        if self.vault is not None:
            self._tell("vault.unsealed", custodians=" ".join(self._given))
            self._given = {}
        return holder.name

    def forget(self) -> None:
        """Let all shares go: whoever gave one has left."""
        self._given = {}
        self._tell("custody.shares-forgotten")

    def _open(self) -> None:
        try:
            self.vault = open_vault(self._directory, Gathered(list(self._given.values())))
        except CAError:
            self._given = {}
            raise

    def _tell(self, action: str, *, failed: bool = False, **details: object) -> None:
        self._log(action, set=self._set.id, **details)
        record.note(self._directory, action, self._set.id, failed=failed, **details)


def wait(directory: Path, path: Path, *, uid: int, log: Log) -> Vault | None:
    """Listen on *path* until the vault is open; None if told to stop.

    SIGTERM and SIGINT are blocked in this process: they are looked for between
    two connections.
    """
    gathering = Gathering(directory, log)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(16)
        log("sealed", set=gathering.standing().share_set.id, needed=gathering.standing().missing)
        try:
            while gathering.vault is None:
                if signal.sigpending() & {signal.SIGTERM, signal.SIGINT}:
                    return None
                if select.select([listener], [], [], _TICK_S)[0]:
                    with listener.accept()[0] as connection, suppress(OSError):
                        _answer(connection, gathering, uid)
        finally:
            path.unlink(missing_ok=True)
    return gathering.vault


def _answer(connection: socket.socket, gathering: Gathering, uid: int) -> None:
    size = _UCRED.size
    peer = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if peer[1] != uid:
        return
    connection.settimeout(_PATIENCE_S)
    request = _line(connection)
    if request is None:
        return
    try:
        taken = ""
        if request.get("op") == "share":
            taken = gathering.take(str(request.get("share", "")))
        elif request.get("op") == "forget":
            gathering.forget()
        answer = _told(gathering.standing(), sealed=gathering.vault is None) | {"taken": taken}
    except CAError as error:
        answer = {
            "error": str(error),
            "kind": type(error).__name__,
            "field": error.field,
            "rule": error.rule,
            "remedy": error.remedy,
        }
    connection.sendall(json.dumps(answer).encode() + b"\n")


def _told(standing: Standing, *, sealed: bool) -> dict[str, Any]:
    return {
        "sealed": sealed,
        "set": standing.share_set.id,
        "threshold": standing.share_set.threshold,
        "holders": [one.name for one in standing.share_set.holders],
        "given": list(standing.given) if sealed else [],
        "missing": standing.missing if sealed else 0,
    }


def _line(connection: socket.socket) -> dict[str, Any] | None:
    data = b""
    while not data.endswith(b"\n"):
        more = connection.recv(_LIMIT)
        data += more
        if not more or len(data) > _LIMIT:
            return None
    try:
        request = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) else None


def ask(path: Path, request: Mapping[str, object]) -> dict[str, Any] | None:
    """What the sealed signer at *path* answers; None where none waits.

    Raises Unavailable if it does not answer.  A refusal is in ``error``.
    """
    if not path.exists():
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                more = connection.recv(_LIMIT)
                if not more:
                    raise ConnectionResetError("it closed the connection")
                data += more
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError as error:
            raise Unavailable(
                f"the sealed signer did not answer: {error.strerror or error}",
                rule="unseal.away",
                remedy="run this as the account of the service, on its machine",
            ) from error
    answer: dict[str, Any] = json.loads(data)
    return answer
