"""The PIN: where it comes from, and the memory of one that was refused.

A token locks itself after a few wrong PINs, and a signer is restarted by its
supervisor: what was refused is noted beside the vault, sealed, and the same
PIN is never sent again.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from chancery.domain.errors import Unavailable
from chancery.signer import files, sealing
from chancery.signer.envelopes import read_envelope

_FORMAT: Final = "chancery-pin-refused-1"
MAX_PIN: Final = 256


class Sealer(Protocol):
    """Seals and opens under the master key."""

    def wrap(self, plain: bytearray, metadata: Mapping[str, object]) -> dict[str, str]: ...

    def unwrap(self, envelope: Mapping[str, Any]) -> bytearray: ...


class PinSource:
    """Reads the PIN anew for each login; None where somebody must type it first."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._typed: bytearray | None = None

    def typed(self, pin: bytearray) -> None:
        """Keep it in memory until this process ends."""
        self._typed = pin

    def read(self) -> bytearray | None:
        """A buffer that the caller wipes.  Raises Unavailable for a file that will not do."""
        if self._typed is not None:
            return bytearray(self._typed)
        if self._file is None:
            return None
        pin = files.read_private(self._file, limit=MAX_PIN)
        while pin and pin[-1] in b"\r\n":
            del pin[-1]
        if not pin:
            raise Unavailable(
                f"{self._file} is empty",
                field="pin_file",
                rule="vault.pin",
                remedy="it holds the token's user PIN, and nothing else",
            )
        return pin

    def forget(self) -> None:
        if self._typed is not None:
            files.wipe(self._typed)
            self._typed = None


class Refused:
    """The note of a refused PIN, at *path*: its hash, sealed, so that it tells nobody the PIN."""

    def __init__(self, path: Path, vault: str, sealer: Sealer) -> None:
        self._path = path
        self._metadata = {"format": _FORMAT, "vault": vault}
        self._sealer = sealer

    def knows(self, pin: bytearray) -> bool:
        """Whether this very PIN was refused; a note that does not open counts as yes."""
        if not self._path.exists():
            return False
        envelope = read_envelope(self._path, _FORMAT)
        if envelope["metadata"] != self._metadata:
            return True
        try:
            return bytes(self._sealer.unwrap(envelope)) == _mark(pin)
        except sealing.Tampered:
            return True

    def note(self, pin: bytearray) -> None:
        sealed = self._sealer.wrap(bytearray(_mark(pin)), self._metadata)
        note = {"metadata": self._metadata, **sealed}
        files.replace(self._path, sealing.canonical(note))

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


def _mark(pin: bytearray) -> bytes:
    return hashlib.sha256(b"chancery pin" + pin).digest()
