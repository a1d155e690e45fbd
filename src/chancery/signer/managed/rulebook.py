"""What the boundary itself knows of each managed key: rules, dates and facts, sealed in files.

They are kept apart from the material, so that a key in a token has them too.
"""

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from chancery.domain.errors import AlreadyExists, NotFound
from chancery.domain.key_states import KeyDates
from chancery.domain.managed_key import KeyFacts, KeyKind, KeyRules
from chancery.signer import files, sealing
from chancery.signer.names import check_key_id
from chancery.signer.vault import Vault, altered, pretty, read_envelope

_FORMAT: Final = "chancery-managed-rules-1"


@dataclass(frozen=True, slots=True)
class Held:
    """One key as the boundary knows it.  *vault* names where its material is."""

    handle: str
    vault: str
    kind: KeyKind
    rules: KeyRules
    dates: KeyDates
    facts: KeyFacts


class RuleBook:
    """Every managed key's rules, by handle.  Safe for concurrent use."""

    def __init__(self, vault: Vault, directory: Path) -> None:
        self._vault = vault
        self._directory = directory
        self._lock = threading.Lock()
        self._cache: dict[str, Held] = {}
        directory.mkdir(mode=0o700, exist_ok=True)
        files.check_directory(directory)
        files.sweep(directory)

    def has(self, handle: str) -> bool:
        return self._path(handle).exists()

    def add(self, held: Held) -> None:
        """AlreadyExists if the handle is taken, or ever was."""
        try:
            files.replace(self._path(held.handle), self._sealed(held), fresh=True)
        except FileExistsError:
            raise taken(held.handle) from None
        self._keep(held)

    def get(self, handle: str) -> Held:
        """NotFound; Unavailable if the file was altered."""
        found = self._cache.get(handle)
        if found is not None:
            return found
        path = self._path(handle)
        if not path.exists():
            raise NotFound(
                "the key boundary does not hold this key",
                field="key",
                rule="key.unknown",
                remedy="restore the vault's directory together with the record",
            )
        held = self._open(path, handle)
        self._keep(held)
        return held

    def move(self, handle: str, dates: KeyDates) -> Held:
        """Put other dates on record."""
        with self._lock:
            held = replace(self.get(handle), dates=dates)
            files.replace(self._path(handle), self._sealed(held))
            self._keep(held)
        return held

    def _keep(self, held: Held) -> None:
        if len(self._cache) > 10_000:  # some 10 MB: begin anew rather than choose
            self._cache.clear()
        self._cache[held.handle] = held

    def _open(self, path: Path, handle: str) -> Held:
        envelope = read_envelope(path, _FORMAT)
        metadata = envelope["metadata"]
        try:
            self._vault.unwrap(envelope)
            if metadata["vault"] != self._vault.id:
                raise altered(path)
            held = msgspec.convert(metadata["held"], Held)
        except (sealing.Tampered, msgspec.ValidationError, KeyError):
            raise altered(path) from None
        if held.handle != handle:
            raise altered(path)
        return held

    def _sealed(self, held: Held) -> bytes:
        metadata: dict[str, Any] = {
            "format": _FORMAT,
            "vault": self._vault.id,
            "held": msgspec.to_builtins(held),
        }
        metadata["held"]["rules"]["uses"] = sorted(held.rules.uses)
        return pretty({"metadata": metadata, **self._vault.wrap(bytearray(), metadata)})

    def _path(self, handle: str) -> Path:
        return self._directory / f"{check_key_id(handle)}.rules.json"


def taken(handle: str) -> AlreadyExists:
    return AlreadyExists(f"there is a key {handle} already", field="handle", rule="key.exists")
