"""Who holds private keys: this process's memory, or a token.  What people call a vault."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import NotFound
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.vaults import SOFTWARE, Probe, TokenKey, VaultKind, VaultStanding, VaultState
from chancery.signer import keypair
from chancery.signer.managed.secrets import SecretVault


@dataclass(frozen=True, slots=True)
class Held:
    """A private key that can be used.  *private* is None where it is not in this process.

    *kept* is sealed in place of it: where on which token it is.
    """

    algorithm: KeyAlgorithm
    spki: bytes
    ways: Mapping[SignatureAlgorithm, keypair.Way]
    private: keypair.PrivateKey | None
    kept: bytes | None = None

    def sealed_form(self) -> bytearray:
        """What is sealed, in a buffer that the caller wipes."""
        if self.private is not None:
            return bytearray(keypair.pkcs8(self.private))
        assert self.kept is not None
        return bytearray(self.kept)


class Holder(Protocol):
    """Makes keys, and makes them sign.  Safe for concurrent use.

    The sealed vault above it knows purposes, bindings and approvals, and the
    journal what was done: of both a holder knows nothing.  Its methods raise
    Unavailable while it is away, and SignerRefused for what it cannot do.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> VaultKind: ...

    def make(self, key_id: str, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> Held:
        """Generate; AlreadyExists where the name is taken."""
        ...

    def take_in(self, key_id: str, pkcs8: bytes) -> Held:
        """Import an unencrypted DER PKCS#8 key."""
        ...

    def find(self, label: str, object_id: str) -> Held:
        """A key that is on its token already; *object_id* is hex, or empty for the only one."""
        ...

    def open(self, kept: bytearray, info: KeyInfo) -> Held:
        """The key that was sealed so; a token is not asked for it before it signs."""
        ...

    def forget(self, held: Held) -> None:
        """Destroy what *make* or *take_in* left elsewhere."""
        ...

    def standing(self) -> VaultStanding: ...

    def contents(self) -> list[TokenKey]:
        """The keys on its token; none for a vault without one."""
        ...

    def probe(self) -> list[Probe]:
        """Try everything that signing needs, with a key made for it and destroyed again."""
        ...

    def unlock(self, pin: bytearray) -> None:
        """Use a PIN that somebody typed."""
        ...

    @property
    def secrets(self) -> SecretVault | None:
        """The same place for managed keys; None where they have their own (``software``)."""
        ...

    def close(self) -> None: ...


class SoftwareHolder:
    """Keys in memory, sealed on disk."""

    name: Final = SOFTWARE
    kind: Final = VaultKind.SOFTWARE

    def __init__(self, since: int = 0) -> None:
        self._since = since

    def make(self, key_id: str, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> Held:  # noqa: ARG002
        return software_key(keypair.make(algorithm), algorithm)

    def take_in(self, key_id: str, pkcs8: bytes) -> Held:  # noqa: ARG002
        return software_key(*keypair.load(pkcs8))

    def find(self, label: str, object_id: str) -> Held:  # noqa: ARG002
        raise no_such_thing(self.name, "has no token", "vault.token")

    def open(self, kept: bytearray, info: KeyInfo) -> Held:  # noqa: ARG002
        return software_key(*keypair.load(kept))

    def forget(self, held: Held) -> None:
        """It is nowhere else."""

    def standing(self) -> VaultStanding:
        return VaultStanding(self.name, self.kind, VaultState.UP, self._since)

    def contents(self) -> list[TokenKey]:
        return []

    def probe(self) -> list[Probe]:
        from chancery.signer import self_test  # noqa: PLC0415 - rarely

        return self_test.run()

    def unlock(self, pin: bytearray) -> None:  # noqa: ARG002
        raise no_such_thing(self.name, "has no PIN", "vault.pin")

    @property
    def secrets(self) -> SecretVault | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def software_key(private: keypair.PrivateKey, algorithm: KeyAlgorithm) -> Held:
    ways = keypair.signers(private, algorithm)
    return Held(algorithm, keypair.spki(private), ways, private)


def no_such_thing(name: str, what: str, rule: str) -> NotFound:
    return NotFound(f"vault {name} {what}", field="vault", rule=rule)
