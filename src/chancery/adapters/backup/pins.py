"""PINs of a device: what one may be, and the key that Argon2id makes of it (RFC 9106)."""

import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery.domain.errors import BadRequest
from chancery.wire import documents

LEAST: Final = 8  # characters
MOST: Final = 64
_SALT: Final = 16
_NONCE: Final = 12
_MOST_MEMORY_KIB: Final = 1024 * 1024
_MOST_PASSES: Final = 16
_RECOVERY: Final = 24  # characters of Crockford's base 32: 120 bits
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ROWS: Final = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop")


@dataclass(frozen=True, slots=True)
class Costs:
    """What one try of a PIN costs whoever guesses; also the least that a device may ask for."""

    memory_kib: int
    passes: int
    lanes: int


# RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes, 128-bit salt.
COSTS: Final = Costs(64 * 1024, 3, 4)


@dataclass(frozen=True, slots=True)
class Slot:
    """*wrapped* opens with one PIN; the rest says how."""

    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    nonce: bytes
    wrapped: bytes


def check_policy(pin: str, least: int = LEAST) -> None:
    """BadRequest says why *pin* will not do."""
    plain = pin.lower()
    if not least <= len(pin) <= MOST:
        raise _weak(f"it has {len(pin)} characters, and {least} to {MOST} are asked for")
    if not pin.isprintable():
        raise _weak("it holds a character that cannot be seen")
    if len(set(plain)) < 4:
        raise _weak("it has fewer than four different characters")
    if any(plain in row * 2 for row in _ROWS):
        raise _weak("its characters follow each other on every keyboard")
    for size in (1, 2, 3, 4):
        if len(plain) >= 2 * size and plain == (plain[:size] * len(plain))[: len(plain)]:
            raise _weak("it repeats itself")


def recovery_pin() -> str:
    """A PIN that nobody guesses: 120 random bits in groups of six."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY))
    return "-".join(text[at : at + 6] for at in range(0, _RECOVERY, 6))


def normal_recovery(text: str) -> str:
    """As typed -> as made: case, spaces, and letters taken for digits are forgiven."""
    letters = "".join(text.upper().split()).replace("-", "")
    return letters.replace("O", "0").replace("I", "1").replace("L", "1")


def make_slot(pin: str, secret: bytes, context: bytes, costs: Costs = COSTS) -> Slot:
    """Wrap *secret* under *pin*."""
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    key = _key(pin, salt, costs)
    wrapped = AESGCM(key).encrypt(nonce, secret, _bound(context, costs, salt))
    return Slot(costs.memory_kib, costs.passes, costs.lanes, salt, nonce, wrapped)


def open_slot(slot: Slot, pin: str, context: bytes, least: Costs = COSTS) -> bytes | None:
    """The secret, or None if *pin* is not the one.  BadRequest for costs outside the bounds."""
    sound = (
        least.memory_kib <= slot.memory_kib <= _MOST_MEMORY_KIB
        and least.passes <= slot.passes <= _MOST_PASSES
        and 1 <= slot.lanes <= 16
        and len(slot.salt) == _SALT
        and len(slot.nonce) == _NONCE
    )
    if not sound:  # cheap guessing, or a start that takes for ever
        raise BadRequest(
            "the device asks for an Argon2id cost outside the bounds",
            field="device",
            rule="device.altered",
            remedy="use another copy of device.json",
        )
    costs = Costs(slot.memory_kib, slot.passes, slot.lanes)
    cipher = AESGCM(_key(pin, slot.salt, costs))
    try:
        return cipher.decrypt(slot.nonce, slot.wrapped, _bound(context, costs, slot.salt))
    except (InvalidTag, ValueError):
        return None


def _bound(context: bytes, costs: Costs, salt: bytes) -> bytes:
    return documents.encode([context.decode(), costs, salt.hex()])


def _key(pin: str, salt: bytes, costs: Costs) -> bytes:
    from argon2.low_level import Type, hash_secret_raw  # noqa: PLC0415 - a C library

    return hash_secret_raw(
        pin.encode(), salt, costs.passes, costs.memory_kib, costs.lanes, 32, Type.ID
    )


def _weak(why: str) -> BadRequest:
    return BadRequest(
        f"this PIN will not do: {why}",
        field="pin",
        rule="device.pin-policy",
        remedy="take eight or more characters that nobody who knows you would try",
    )
