"""What stands in ``device.json``, and how its parts hold one another."""

import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery.adapters.backup.device_errors import altered
from chancery.adapters.backup.pins import Slot
from chancery.wire import documents

FORMAT: Final = "chancery-device-1"
_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class About:
    """What the device says of itself; authenticated once it is open."""

    format: str
    id: str
    recipient: str
    label: str
    created_at: int
    least: int
    tries: int
    read_only: bool
    verifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """*pin* is None once too many wrong ones were tried; *recovery* get fewer with each use."""

    about: About
    nonce: bytes
    identity: bytes
    pin: Slot | None
    recovery: tuple[Slot, ...]
    failed: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A device as anybody may see it."""

    about: About
    has_pin: bool
    failed: int
    recovery_left: int


@dataclass(frozen=True, slots=True)
class Opened:
    """An open device: *identity* is its age secret key."""

    about: About
    identity: str
    failed_before: int


def slot_context(about: About, kind: str) -> bytes:
    return f"{FORMAT} {about.id} {kind}".encode()


def sealed(about: About, identity: str, key: bytes) -> Stored:
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, identity.encode(), documents.encode(about))
    return Stored(about, nonce, sealed, None, (), 0)


def identity_in(stored: Stored, key: bytes) -> str:
    try:
        plain = AESGCM(key).decrypt(stored.nonce, stored.identity, documents.encode(stored.about))
    except (InvalidTag, ValueError):
        raise altered("what it says of itself is not what was sealed with its key") from None
    return plain.decode()
