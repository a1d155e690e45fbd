"""Vaults: where private keys are, and how those places are doing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest

SOFTWARE: Final = "software"
"""The name of the vault that every instance has: keys wrapped under its master key."""


class VaultKind(StrEnum):
    """As security levels name them."""

    SOFTWARE = "software"
    PKCS11 = "pkcs11"


class VaultState(StrEnum):
    UP = "up"
    AWAY = "away"  # comes back by itself
    PIN_WANTED = "pin-wanted"  # somebody must type it
    PIN_REFUSED = "pin-refused"  # the token said no; it is not asked again with that PIN


@dataclass(frozen=True, slots=True)
class VaultChoice:
    """The vaults that a new CA key can go to, by name."""

    kinds: Mapping[str, VaultKind] = field(default_factory=lambda: {SOFTWARE: VaultKind.SOFTWARE})
    approved_mode: bool = False

    def kind(self, name: str) -> VaultKind:
        """The kind of that vault.  Raises BadRequest for one that may not be chosen."""
        kind = self.kinds.get(name)
        if kind is None:
            raise BadRequest(
                f"no vault named {name[:64]!r}",
                field="vault",
                rule="vault.unknown",
                remedy=f"one of: {', '.join(self.names)}",
            )
        if self.approved_mode and kind is VaultKind.SOFTWARE:
            raise BadRequest(
                "in approved mode the keys of CAs are on tokens only",
                field="vault",
                rule="approved.vault",
                remedy=f"one of: {', '.join(self.names)}",
            )
        return kind

    @property
    def names(self) -> tuple[str, ...]:
        """Those that may be chosen."""
        return tuple(
            name
            for name, kind in self.kinds.items()
            if not (self.approved_mode and kind is VaultKind.SOFTWARE)
        )


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token says of itself; *mechanisms* by their names in PKCS#11, sorted."""

    label: str
    serial: str
    manufacturer: str
    model: str
    firmware: str
    mechanisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VaultStanding:
    """One vault now.  *since* is Unix seconds; counts are since the signer's start.

    *sessions* can work at once, *busy* of them do.  *lost* counts how often
    its token went away.  *reason* says why it is not up.
    """

    name: str
    kind: VaultKind
    state: VaultState
    since: int
    reason: str | None = None
    token: TokenFacts | None = None
    sessions: int = 0
    busy: int = 0
    signatures: int = 0
    failures: int = 0
    lost: int = 0
    verified: bool = True
    approved_mode: bool = False


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A private or secret key on a token.  *object_id* is hex; *key_id* if it is one of ours."""

    label: str
    object_id: str
    kind: str
    key_id: str | None
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried; *detail* says what came of it, *took_us* microseconds."""

    name: str
    passed: bool
    detail: str
    took_us: int
