"""``ports.VaultAdmin`` over the signer's socket."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from chancery.domain.vaults import Probe, TokenKey, VaultStanding
from chancery.signer import vault_messages as m
from chancery.signer.protocol import Answer, Done, Request

A = TypeVar("A", bound=Answer)


class Asking(Protocol):
    """What carries a request there and an answer back: ``SignerClient.ask``."""

    def __call__(self, request: Request, expected: type[A]) -> A: ...


class VaultsClient:
    """Implements ``ports.VaultAdmin``.  Safe for concurrent use."""

    def __init__(self, ask: Asking) -> None:
        self._ask = ask

    def standings(self) -> Sequence[VaultStanding]:
        return self._ask(m.AskVaults(), m.Standings).vaults

    def contents(self, vault: str) -> Sequence[TokenKey]:
        return self._ask(m.AskContents(vault), m.Contents).keys

    def probe(self, vault: str) -> Sequence[Probe]:
        return self._ask(m.ProbeVault(vault), m.Probed).probes

    def self_test(self) -> Sequence[Probe]:
        return self._ask(m.SelfTest(), m.Probed).probes

    def unlock(self, vault: str, pin: bytes) -> None:
        """Give the signer a PIN that somebody typed."""
        self._ask(m.UnlockVault(vault, pin), Done)
