"""Unseal with a passphrase through Argon2id (RFC 9106)."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chancery.domain.errors import Unavailable
from chancery.signer import files
from chancery.signer.unseal import Parameters

# RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes, 128-bit salt.
MEMORY_KIB: Final = 64 * 1024
PASSES: Final = 3
LANES: Final = 4
SALT: Final = 16
# Least and most a header may ask for: OWASP's floor, and what a start-up can bear.
LEAST_MEMORY_KIB: Final = 19 * 1024
LEAST_PASSES: Final = 2
MOST_MEMORY_KIB: Final = 1024 * 1024
MOST_PASSES: Final = 16
MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 1024


@dataclass(frozen=True)
class Passphrase:
    """*path* holds one line of UTF-8, 12 characters or more; a final line end does not count."""

    path: Path
    kind: str = "passphrase"

    def new_parameters(self) -> Parameters:
        return {
            "memory_kib": MEMORY_KIB,
            "passes": PASSES,
            "lanes": LANES,
            "salt": secrets.token_hex(SALT),
        }

    def key(self, parameters: Parameters) -> bytearray:
        secret = files.read_private(self.path, limit=MAX_LENGTH)
        return derive(secret, parameters, f"the passphrase in {self.path}")


@dataclass(frozen=True)
class TypedPassphrase:
    """What somebody typed: for a ceremony, where no file holds it."""

    text: str
    kind: str = "passphrase"

    def new_parameters(self) -> Parameters:
        return Passphrase(Path()).new_parameters()

    def key(self, parameters: Parameters) -> bytearray:
        return derive(bytearray(self.text.encode()), parameters, "the passphrase")


def derive(secret: bytearray, parameters: Parameters, what: str) -> bytearray:
    """The wrapping key, by Argon2id; *secret* is wiped."""
    try:
        memory, passes, lanes, salt = _costs(parameters)
        while secret.endswith((b"\n", b"\r")):
            del secret[-1]
        if len(secret) < MIN_LENGTH:
            raise Unavailable(
                f"{what} is shorter than {MIN_LENGTH} octets",
                field="passphrase-file",
                rule="unseal.length",
                remedy="choose a longer one: six or more random words",
            )
        # Imported here: a start with a key file need not load a C library for it.
        from argon2.low_level import Type, hash_secret_raw  # noqa: PLC0415

        return bytearray(hash_secret_raw(bytes(secret), salt, passes, memory, lanes, 32, Type.ID))
    finally:
        files.wipe(secret)


def _costs(parameters: Parameters) -> tuple[int, int, int, bytes]:
    """Read the costs back, refusing a header that was edited to make guessing cheap."""
    memory, passes = parameters.get("memory_kib"), parameters.get("passes")
    lanes, salt = parameters.get("lanes"), parameters.get("salt")
    sound = (
        isinstance(memory, int)
        and isinstance(passes, int)
        and isinstance(lanes, int)
        and isinstance(salt, str)
        and LEAST_MEMORY_KIB <= memory <= MOST_MEMORY_KIB
        and LEAST_PASSES <= passes <= MOST_PASSES
        and 1 <= lanes <= 16
        and len(salt) == 2 * SALT
        and all(c in "0123456789abcdef" for c in salt)
    )
    if not sound:
        raise Unavailable(
            "the vault's header asks for an Argon2id cost outside the bounds",
            field="vault",
            rule="unseal.parameters",
            remedy="restore vault.json from a backup",
        )
    assert isinstance(memory, int)
    assert isinstance(passes, int)
    assert isinstance(lanes, int)
    assert isinstance(salt, str)
    return memory, passes, lanes, bytes.fromhex(salt)
