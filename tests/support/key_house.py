"""Managed keys for tests: the services over a real record, and the key boundary in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from people import SteppedClock

from chancery.adapters.storage import SqlStore
from chancery.domain.identity import (
    CLASS_OF,
    GRANTS,
    AuthMethod,
    Permission,
    Principal,
    Role,
    User,
)
from chancery.domain.key_groups import KeyGroup, KeyRight
from chancery.services.keys import KeyService
from chancery.services.keys.desk import KeyView
from chancery.services.keys.wanted import Wanted
from chancery.signer import vault
from chancery.signer.journal import Journal, JournalEntry, read
from chancery.signer.managed.client import ManagedClient
from chancery.signer.managed.keys import ManagedKeys
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import open_vault

R = KeyRight
GROUP = KeyGroup(
    "vault",
    "Keys of the tests",
    "",
    {
        Role.CA_OPERATOR.value: frozenset({R.VIEW, R.USE, R.MANAGE}),
        Role.RA_OFFICER.value: frozenset({R.VIEW, R.USE, R.APPROVE, R.HOLD}),
    },
)


def person(name: str, role: Role, *, partner: str = "") -> Principal:
    """Somebody signed in with one role."""
    permissions = GRANTS[role] | {Permission.AUTHENTICATED, Permission.PUBLIC}
    return Principal(
        name, frozenset({role}), frozenset(), permissions, AuthMethod.SESSION, partner=partner
    )


ADMIN = person("admin", Role.ADMINISTRATOR)
OPERATOR = person("operator", Role.CA_OPERATOR)
OFFICER = person("officer", Role.RA_OFFICER)
OTHER = person("other", Role.RA_OFFICER)
STRANGER = person("stranger", Role.REQUESTER)


class KeyHouse:
    """*keys* are the services, *managed* what is behind their boundary."""

    def __init__(self, store: SqlStore, clock: SteppedClock, home: Path) -> None:
        home.mkdir(mode=0o700)
        secret = home / "unseal.key"
        secret.touch(0o600)
        secret.write_bytes(os.urandom(32))
        vault.create(home / "vault", KeyFile(secret))
        self._vault = open_vault(home / "vault", KeyFile(secret))
        self._home = home
        self._journal = Journal(home / "journal")
        self.store, self.clock = store, clock
        self.managed = ManagedKeys(self._vault, self._journal, clock=clock.s)
        self.keys = KeyService(store, ManagedClient(self.ask), clock, os.urandom)
        self.keys.groups.put(ADMIN, GROUP)

    def ask(self, request: Any, expected: type[Any]) -> Any:
        answer = self.managed.perform(request)
        assert isinstance(answer, expected)
        return answer

    def make(self, name: str, template: str = "data-aes-256", **more: Any) -> KeyView:
        return self.keys.making.generate(OPERATOR, Wanted(name, "vault", template, **more))

    def account(self, name: str, role: Role, *, email: str = "") -> None:
        """Put somebody on record who may be given components."""
        user = User(name, name, email, frozenset({role}), frozenset(), CLASS_OF[role],
                    disabled=False, password_hash=None, failed_logins=0, locked_until=None,
                    created_at=self.clock.s())  # fmt: skip
        self.store.write(lambda session: session.identities.add_user(user))

    def agreed(self, outcome: Any, *, secret: str = "", by: Principal = OFFICER) -> Any:
        """Have somebody else agree, and carry it out."""
        self.keys.orders.approve(by, outcome.order.id, outcome.order.content)
        return self.keys.orders.perform(OPERATOR, outcome.order.id, secret)

    def told(self, action: str) -> list[Any]:
        """Audit events of that kind, oldest first."""
        with self.store.read() as session:
            found = session.audit.find(action=action, limit=100)
        return sorted((one.event for one in found), key=lambda event: str(event.details))

    def journal(self) -> list[JournalEntry]:
        return list(read(self._home / "journal"))

    @property
    def files(self) -> Path:
        return self._home / "vault" / "managed"

    def close(self) -> None:
        self._journal.close()
        self._vault.close()


@contextmanager
def opened(store: SqlStore, clock: SteppedClock, home: Path) -> Iterator[KeyHouse]:
    house = KeyHouse(store, clock, home)
    yield house
    house.close()
