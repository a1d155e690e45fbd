"""What people ask of vaults: how they are, what they hold, whether they work."""

from collections.abc import Callable
from dataclasses import replace

from chancery.domain.errors import CAError
from chancery.domain.vaults import Probe, TokenKey, VaultStanding
from chancery.signer import self_test
from chancery.signer.vault import Vault


class VaultDesk:
    """Asks the holders of one sealed vault.  Safe for concurrent use."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.self_test: Callable[[], list[Probe]] = self_test.run
        self.approved_mode = False

    def standings(self) -> list[VaultStanding]:
        return [
            replace(holder.standing(), approved_mode=self.approved_mode)
            for holder in self._vault.holders.values()
        ]

    def contents(self, name: str) -> list[TokenKey]:
        """The keys on its token, each with our name for it if it is ours."""
        found = self._vault.holder(name).contents()
        return [replace(key, key_id=self._ours(key, name)) for key in found]

    def probe(self, name: str) -> list[Probe]:
        return self._vault.holder(name).probe()

    def unlock(self, name: str, pin: bytearray) -> None:
        self._vault.holder(name).unlock(pin)

    def _ours(self, key: TokenKey, name: str) -> str | None:
        """A key of ours is labelled by its id; another's file may bear the name all the same."""
        try:
            found = self._vault.get(key.label)
        except CAError:  # no id of ours, or a key that may not be used
            return None
        kept = found.held.kept or b""
        ours = found.info.vault == name and key.object_id.encode() in kept
        return found.info.key_id if ours else None
