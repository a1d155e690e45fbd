"""The sealed vault: a directory with a file for each key, opened by one unseal source.

``vault.json`` holds the 32-octet master key, wrapped under a key that an unseal
source derives.  ``<key id>.key.json`` holds one PKCS#8 key, or where on a token
the key is, wrapped under the master key with AES-256-GCM; all its metadata
(purpose, approvals, binding) is authenticated with it, so an edited file does
not open.  What may be done with a key is therefore the same whoever holds it.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import AlreadyExists, NotFound, Unavailable
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.vaults import SOFTWARE
from chancery.signer import files, keypair, sealing
from chancery.signer.binding import Binding
from chancery.signer.envelopes import altered, pretty, read_envelope
from chancery.signer.holders import Held, Holder, SoftwareHolder
from chancery.signer.names import check_key_id
from chancery.signer.unseal import UnsealSource

HEADER: Final = "vault.json"
_VAULT_FORMAT: Final = "chancery-vault-1"
_KEY_FORMAT: Final = "chancery-key-1"

__all__ = ["Vault", "VaultKey", "altered", "create", "open_vault", "pretty", "read_envelope"]


@dataclass(frozen=True, slots=True)
class VaultKey:
    """One key in use.  *ways* holds the private part, or asks the token: it never leaves."""

    info: KeyInfo
    ca_approvals: int
    binding: Binding | None
    held: Held
    ways: Mapping[SignatureAlgorithm, keypair.Way]


def create(directory: Path, unseal: UnsealSource) -> str:
    """Make an empty sealed vault and return its id; AlreadyExists if there is one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.check_directory(directory)
    vault_id = secrets.token_hex(16)
    parameters = dict(unseal.new_parameters())
    metadata = {
        "format": _VAULT_FORMAT,
        "vault": vault_id,
        "unseal": unseal.kind,
        "parameters": parameters,
    }
    wrapping = unseal.key(parameters)
    master = bytearray(secrets.token_bytes(sealing.KEY))
    try:
        header = {"metadata": metadata} | sealing.wrap(wrapping, master, metadata)
        files.replace(directory / HEADER, pretty(header), fresh=True)
    except FileExistsError:
        raise AlreadyExists(
            f"{directory} holds a vault already", field="vault", rule="vault.exists"
        ) from None
    finally:
        files.wipe(wrapping)
        files.wipe(master)
    return vault_id


class Vault:
    """An open vault.  Safe for concurrent use by the threads of one process."""

    def __init__(self, directory: Path, master: bytearray, vault_id: str) -> None:
        self.directory: Final = directory
        self._master = master
        self._lock = threading.Lock()
        self._cache: dict[str, VaultKey] = {}
        self.id: Final = vault_id
        self.holders: Final[dict[str, Holder]] = {SOFTWARE: SoftwareHolder(int(time.time()))}
        """Who holds keys, by name.  Filled before the first key is asked for."""
        self.judge: Callable[[KeyInfo], None] = lambda _info: None
        """Refuses keys that may not be used or made at all: approved mode."""

    def holder(self, name: str) -> Holder:
        """The one of that name.  Raises NotFound."""
        found = self.holders.get(name)
        if found is None:
            raise NotFound(
                f"no vault named {name[:64]!r}",
                field="vault",
                rule="vault.unknown",
                remedy=f"one of: {', '.join(self.holders)}",
            )
        return found

    def add(
        self,
        key_id: str,
        held: Held,
        purpose: KeyPurpose,
        ca_approvals: int,
        record: Callable[[KeyInfo], None],
        *,
        holder: str = SOFTWARE,
    ) -> KeyInfo:
        """Seal and store a new key, durably; AlreadyExists if *key_id* is taken.

        *record* puts it on record, before it exists; if that raises, it never does.
        """
        path = self._path(key_id)
        info = KeyInfo(key_id, held.algorithm, purpose, held.spki, int(time.time()), holder)
        self.judge(info)
        key = VaultKey(info, ca_approvals, None, held, held.ways)
        with self._lock:
            self._demand_free(key_id)
            record(info)
            files.replace(path, self._sealed(key), fresh=True)
            self._keep(key)
        return info

    def demand_free(self, key_id: str) -> None:
        """Raise AlreadyExists now rather than after a key was made on a token."""
        with self._lock:
            self._demand_free(key_id)

    def _demand_free(self, key_id: str) -> None:
        if self._path(key_id).exists():
            raise AlreadyExists(f"a key named {key_id} exists", field="key_id", rule="key.exists")

    def forget_opened(self) -> None:
        """Have *judge* asked again of every key."""
        with self._lock:
            self._cache.clear()

    def get(self, key_id: str) -> VaultKey:
        """The key, unwrapped on first use.  NotFound; Unavailable if its file was altered."""
        key = self._cache.get(key_id)
        if key is not None:
            return key
        path = self._path(key_id)
        with self._lock:
            if not path.exists():
                raise _unknown(key_id)
            key = self._open(path)
            self._keep(key)
        return key

    def bind(self, key_id: str, bound: Callable[[VaultKey], Binding]) -> None:
        """Replace a key's binding by what *bound* makes, and puts on record, of the key now."""
        self.get(key_id)
        with self._lock:
            key = self._open(self._path(key_id))
            key = replace(key, binding=bound(key))
            files.replace(self._path(key_id), self._sealed(key))
            self._keep(key)

    def destroy(self, key_id: str) -> None:
        """Remove a key's file, overwriting it first where the file system writes in place."""
        path = self._path(key_id)
        with self._lock:
            self._cache.pop(key_id, None)
            if not files.erase(path):
                raise _unknown(key_id)

    def wrap(self, plain: bytearray, metadata: Mapping[str, object]) -> dict[str, str]:
        """Seal under the master key: the ``nonce`` and ``wrapped`` of an envelope."""
        return sealing.wrap(self._master, plain, metadata)

    def unwrap(self, envelope: Mapping[str, Any]) -> bytearray:
        """Open an envelope.  Raises sealing.Tampered."""
        return sealing.unwrap(
            self._master, envelope["nonce"], envelope["wrapped"], envelope["metadata"]
        )

    def close(self) -> None:
        """Forget the master key and every unwrapped key; let go of tokens."""
        for holder in self.holders.values():
            holder.close()
        with self._lock:
            self._cache.clear()
            files.wipe(self._master)

    def _path(self, key_id: str) -> Path:
        return self.directory / f"{check_key_id(key_id)}.key.json"

    def _keep(self, key: VaultKey) -> None:
        # A subject's key is used once or twice and there may be millions.
        if key.info.purpose is not KeyPurpose.SUBJECT:
            self._cache[key.info.key_id] = key

    def _sealed(self, key: VaultKey) -> bytes:
        info = key.info
        metadata: dict[str, object] = {
            "format": _KEY_FORMAT,
            "vault": self.id,
            "key_id": info.key_id,
            "algorithm": info.algorithm.value,
            "purpose": info.purpose.value,
            "ca_approvals": key.ca_approvals,
            "created_at": info.created_at,
            "spki": sealing.encode(info.spki),
            "binding": key.binding.to_document() if key.binding else None,
        }
        if info.vault != SOFTWARE:
            metadata["holder"] = info.vault
        plain = key.held.sealed_form()
        try:
            return pretty({"metadata": metadata, **self.wrap(plain, metadata)})
        finally:
            files.wipe(plain)

    def _open(self, path: Path) -> VaultKey:
        envelope = read_envelope(path, _KEY_FORMAT)
        metadata = envelope["metadata"]
        try:
            plain = self.unwrap(envelope)
        except sealing.Tampered:
            raise altered(path) from None
        try:
            # Authentic, so written by us: only a file moved to another name is left to refuse.
            if f"{metadata['key_id']}.key.json" != path.name or metadata["vault"] != self.id:
                raise altered(path)
            info = KeyInfo(
                metadata["key_id"],
                KeyAlgorithm(metadata["algorithm"]),
                KeyPurpose(metadata["purpose"]),
                sealing.decode(metadata["spki"]),
                metadata["created_at"],
                metadata.get("holder", SOFTWARE),
            )
            self.judge(info)
            held = self.holder(info.vault).open(plain, info)
        finally:
            files.wipe(plain)
        binding = metadata["binding"]
        return VaultKey(
            info,
            metadata["ca_approvals"],
            None if binding is None else Binding.from_document(binding, info.spki),
            held,
            held.ways,
        )


def open_vault(directory: Path, unseal: UnsealSource) -> Vault:
    """Unseal the vault in *directory*.  Unavailable says whether secret or file is wrong."""
    metadata, master = open_master(directory, unseal)
    files.sweep(directory)
    return Vault(directory, master, metadata["vault"])


def open_master(directory: Path, unseal: UnsealSource) -> tuple[dict[str, Any], bytearray]:
    """The header's metadata and the master key, which the caller wipes.  Raises Unavailable."""
    header = read_header(directory)
    metadata = header["metadata"]
    if metadata.get("unseal") != unseal.kind:
        raise Unavailable(
            f"this vault opens with a {metadata.get('unseal')}, not with a {unseal.kind}",
            field="vault",
            rule="unseal.kind",
        )
    wrapping = unseal.key(metadata["parameters"])
    try:
        return metadata, sealing.unwrap(wrapping, header["nonce"], header["wrapped"], metadata)
    except sealing.Tampered:
        raise Unavailable(
            f"the {unseal.kind} does not open this vault",
            field="vault",
            rule="unseal.wrong",
            remedy="use the secret the vault was made with, or restore vault.json from a backup",
        ) from None
    finally:
        files.wipe(wrapping)


def read_header(directory: Path) -> dict[str, Any]:
    """``vault.json`` as it lies there: which secret opens the vault."""
    files.check_directory(directory)
    return read_envelope(directory / HEADER, _VAULT_FORMAT)


def reseal(directory: Path, old: UnsealSource, new: UnsealSource) -> None:
    """Have another secret open the vault from now on; its keys stay as they are.

    A crash leaves the one seal or the other.  Copies of the old ``vault.json``
    still open with the old secret: destroy them.
    """
    metadata, master = open_master(directory, old)
    parameters = dict(new.new_parameters())
    changed = metadata | {"unseal": new.kind, "parameters": parameters}
    wrapping = new.key(parameters)
    try:
        header = {"metadata": changed} | sealing.wrap(wrapping, master, changed)
        files.replace(directory / HEADER, pretty(header))
    finally:
        files.wipe(wrapping)
        files.wipe(master)


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"no key named {key_id}", field="key_id", rule="key.unknown")
