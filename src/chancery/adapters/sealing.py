"""AES-256-GCM under a key file: what the database holds sealed, a copy of it does not give away."""

import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery.domain.errors import Unavailable

_KEY: Final = 32
_NONCE: Final = 12
_VERSION: Final = b"\x01"


class KeyFileSealer:
    """Implements ``ports_sign_in.Sealer``; the key is made when it is first needed.

    Machines that share a database share this file, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def seal(self, data: bytes, context: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, data, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, rest, context.encode())
        except (InvalidTag, ValueError) as error:
            raise Unavailable(
                "a secret on record cannot be opened with this machine's key",
                rule="sealing.key",
                remedy=f"restore {self._path.name}, the one it was sealed with",
            ) from error

    def digest(self, data: bytes, context: str) -> bytes:
        key = hmac.digest(self._key, b"digest " + context.encode(), "sha256")
        return hmac.digest(key, data, "sha256")

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._key)

    @cached_property
    def _key(self) -> bytes:
        try:
            key = self._path.read_bytes() if self._path.exists() else self._make()
        except OSError as error:
            raise Unavailable(
                f"cannot read or make {self._path}: {error.strerror}",
                rule="sealing.key-file",
                remedy="let the service write to the directory of login.key_file",
            ) from error
        if len(key) != _KEY:
            raise Unavailable(
                f"{self._path} does not hold {_KEY} octets",
                rule="sealing.key-file",
                remedy="restore it from your backup",
            )
        return key

    def _make(self) -> bytes:
        """Write a new key, or read the one that another process made in this moment."""
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.write(secrets.token_bytes(_KEY))
                out.flush()
                os.fsync(out.fileno())
            with suppress(FileExistsError):
                os.link(draft, self._path)  # unlike a rename, it never replaces one that is there
        finally:
            draft.unlink()
        return self._path.read_bytes()
