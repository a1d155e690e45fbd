"""What is said about vaults: how they are, what they hold, and keys that are found on one."""

from chancery.domain.keys import KeyPurpose
from chancery.domain.vaults import Probe, TokenKey, VaultStanding
from chancery.signer.message import Message


class AskVaults(Message, frozen=True):
    """All of them, in the order of the settings."""


class AskContents(Message, frozen=True):
    vault: str


class ProbeVault(Message, frozen=True):
    vault: str


class SelfTest(Message, frozen=True):
    """The known-answer tests of the signer itself."""


class UnlockVault(Message, frozen=True):
    vault: str
    pin: bytes

    def __repr__(self) -> str:
        return f"UnlockVault(vault={self.vault!r})"  # the PIN stays out of tracebacks


class AdoptKey(Message, frozen=True):
    key_id: str
    vault: str
    label: str
    object_id: str
    purpose: KeyPurpose
    ca_approvals: int


class Standings(Message, frozen=True):
    vaults: list[VaultStanding]


class Contents(Message, frozen=True):
    keys: list[TokenKey]


class Probed(Message, frozen=True):
    probes: list[Probe]


VaultRequest = AskVaults | AskContents | ProbeVault | SelfTest | UnlockVault | AdoptKey
VaultAnswer = Standings | Contents | Probed
