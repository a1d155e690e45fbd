"""Keys that were made here for people without an account: handed out for a while, then destroyed.

Whoever finds a code later must not find a key with it.
"""

from contextlib import suppress
from typing import Final

from chancery.domain.errors import NotFound, WrongState
from chancery.domain.identity import SYSTEM
from chancery.domain.request import CertificateRequest
from chancery.ports import Clock, KeyVault, Session, Store
from chancery.services.audit import event

_BATCH: Final = 100


def refuse_late(session: Session, request: CertificateRequest, now: int, window_s: int) -> None:
    """Raise WrongState where the key was fetched first more than *window_s* seconds ago."""
    pickup = session.portal.pickup(request.id)
    if pickup is not None and (pickup.destroyed or pickup.first_at + window_s <= now):
        raise WrongState(
            "this key was fetched before, and is no longer handed out",
            field="format",
            rule="pkcs12.window",
            remedy="if you do not have the file, revoke the certificate and ask for a new one",
        )


class KeyDisposal:
    """Destroys what the window has closed on."""

    def __init__(self, store: Store, vault: KeyVault, clock: Clock, window_s: int) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._window_s = window_s

    def run(self) -> int:
        """Destroy the keys that are due; return how many (run by the scheduler).

        The vault first: a key that is gone and not yet noted is found again, and noted.
        """
        now = self._clock.ms()
        with self._store.read() as session:
            due = session.portal.keys_to_destroy(now // 1000 - self._window_s, _BATCH)
        for request_id, key_id in due:
            with suppress(NotFound):
                self._vault.destroy(key_id)

            def unit(session: Session, request_id: str = request_id) -> None:
                session.portal.key_destroyed(request_id)
                session.audit.append([event(SYSTEM, "key.destroyed", request_id)], now)

            self._store.write(unit)
        return len(due)
