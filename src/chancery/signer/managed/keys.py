"""``ports_keys.ManagedVault`` inside the signer, and which message asks for what."""

import time
from collections.abc import Callable, Mapping
from typing import Final, assert_never

from chancery.signer.journal import Journal
from chancery.signer.managed import messages as m
from chancery.signer.managed.boundary import Boundary
from chancery.signer.managed.escrow import Escrow
from chancery.signer.managed.movement import Movement
from chancery.signer.managed.operations import Operations
from chancery.signer.managed.parts import Parts
from chancery.signer.managed.rulebook import RuleBook
from chancery.signer.managed.secrets import SecretVault
from chancery.signer.managed.software import SoftwareSecrets
from chancery.signer.vault import Vault

DIRECTORY: Final = "managed"


class ManagedKeys:
    """Everything about managed keys.  *others* are vaults besides the software one, by name."""

    def __init__(
        self,
        vault: Vault,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.time,
        others: Mapping[str, SecretVault] | None = None,
    ) -> None:
        place = vault.directory / DIRECTORY
        software = SoftwareSecrets(vault, place)
        vaults: dict[str, SecretVault] = {software.kind: software, **(others or {})}
        boundary = Boundary(RuleBook(vault, place), vaults, journal, clock=clock)
        self.boundary: Final = boundary
        self.operations: Final = Operations(boundary)
        self.movement: Final = Movement(boundary)
        self.parts: Final = Parts(boundary, self.movement, vault, place)
        self.escrow: Final = Escrow(boundary, self.movement)

    def perform(self, request: m.ManagedRequest) -> m.ManagedAnswer:  # noqa: C901, PLR0911, PLR0912 - a table
        """Do what is asked.  Raises CAError."""
        match request:
            case m.ManagedEncrypt(handle, plain, aad, who):
                return m.SealAnswer(self.operations.encrypt(handle, plain, aad, who))
            case m.ManagedDecrypt(handle, seal, aad, who):
                return m.DataAnswer(self.operations.decrypt(handle, seal, aad, who))
            case m.ManagedRewrap(old, seal, old_aad, new, new_aad, who):
                return m.SealAnswer(self.operations.rewrap(old, seal, old_aad, new, new_aad, who))
            case m.ManagedSign(handle, algorithm, data, who):
                return m.DataAnswer(self.operations.sign(handle, algorithm, data, who))
            case m.ManagedMac(handle, data, who):
                return m.DataAnswer(self.operations.mac(handle, data, who))
            case m.ManagedCheckMac(handle, data, mac, who):
                return m.TruthAnswer(self.operations.check_mac(handle, data, mac, who))
            case m.ManagedRandom(count, who):
                return m.DataAnswer(self.operations.random(count, who))
            case m.ManagedGenerate(new, who):
                return m.KeyAnswer(self.movement.generate(new, who))
            case m.ManagedUnwrap(new, who, by, method, wrapped):
                return m.KeyAnswer(self.movement.unwrap(new, who, by, method, wrapped))
            case m.ManagedInsert(new, who, packed, passphrase):
                return m.KeyAnswer(self.movement.insert(new, who, packed, passphrase))
            case m.ManagedDerive(new, who, by, method, context, salt):
                made = self.movement.derive(new, who, by, method, context, salt)
                return m.KeyAnswer(made)
            case m.ManagedDates(handle, dates, who):
                self.movement.move(handle, dates, who)
                return m.TruthAnswer(true=True)
            case m.ManagedWrap(handle, method, by, public, header, who):
                made_out = self.movement.wrap(
                    handle, who, method, by=by, public=public, header=header
                )
                return m.DataAnswer(made_out)
            case m.ManagedPackage(handle, form, passphrase, label, who):
                return m.DataAnswer(self.movement.package(handle, who, form, passphrase, label))
            case m.PartsSplit(entry, handle, holders, who):
                return m.KeyAnswer(self.parts.split(entry, handle, holders, who))
            case m.PartPut(entry, kind, place, component, check_value, who):
                put = self.parts.put(entry, kind, place, component, check_value, who)
                return m.PartAnswer(put)
            case m.PartTake(entry, number, who):
                return m.PartAnswer(self.parts.take(entry, number, who))
            case m.PartsJoin(new, entry, check_value, who):
                return m.KeyAnswer(self.parts.join(new, entry, check_value, who))
            case m.PartsDrop(entry, who):
                self.parts.drop(entry, who)
                return m.TruthAnswer(true=True)
            case m.EscrowMake(handle, agents, threshold, who):
                sealed, shares = self.escrow.make(handle, agents, threshold, who)
                return m.SharesAnswer(sealed, shares)
            case m.EscrowOpen(new, sealed, words, who):
                return m.KeyAnswer(self.escrow.open(new, sealed, words, who))
            case _:
                assert_never(request)
