"""A directory asked over LDAP: who is called so, is this their password, which groups."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from chancery.adapters.directory.connection import (
    Away,
    Connection,
    TooMany,
    connected,
    tls_context,
)
from chancery.adapters.directory.groups import Groups
from chancery.adapters.directory.plan import LdapPlan, Server
from chancery.domain import directory_names
from chancery.domain.directory import Person, Trial
from chancery.domain.errors import Conflict, Unavailable
from chancery.wire.ldap import Entry

T = TypeVar("T")
_log = logging.getLogger(__name__)
_AT_ONCE: Final = 8  # a slow directory holds no more threads than this
_MAX_VALUE: Final = 256  # characters of a name or an address that we keep


class LdapDirectory:
    """Implements ``ports_directory.Directory``.

    Servers are tried in order, the one that answered last before the others.
    After all of them failed, callers are told so at once for a few seconds, and
    then one of them tries again: a directory that is away costs one thread its
    time-out, not each.
    """

    def __init__(self, plan: LdapPlan) -> None:
        self._plan = plan
        self._context = tls_context(plan.ca)
        self._by_login = plan.by_login()
        self._by_id = plan.by_id()
        self._groups = Groups(plan)
        self._lock = threading.Lock()
        self._servers = list(plan.servers)
        self._away_until: float | None = None  # None: well, as far as is known
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def find(self, login: str) -> Person | None:
        condition = self._by_login.encode(login=login)
        return self._somewhere(lambda link: self._one(link, condition, login))

    def again(self, subject: str) -> Person | None:
        octets = bytes.fromhex(subject) if self._plan.binary_id else subject.encode()
        condition = self._by_id.encode(subject=octets)
        return self._somewhere(lambda link: self._one(link, condition, None))

    def proves(self, person: Person | None, password: str) -> bool:
        if not password:
            return False
        if person is None:  # a name that nobody has, so that nobody hears the difference
            stranger, guess = f"cn={secrets.token_hex(8)},{self._plan.base}", secrets.token_hex(8)
            self._somewhere(lambda link: link.bind(stranger, guess), own=False)
            return False
        return self._somewhere(lambda link: link.bind(person.dn, password), own=False)

    def examine(self) -> list[Trial]:
        return [self._examined(server) for server in self._plan.servers]

    def _examined(self, server: Server) -> Trial:
        started = time.monotonic()
        try:
            with connected(server, self._context, self._plan.timeout_s) as link:
                self._introduce(link)
                nobody = self._by_login.encode(login=secrets.token_hex(8))
                link.search(self._plan.base, nobody, ["1.1"], limit=1)
                self._groups.probe(link)
        except (Away, Conflict) as error:
            return Trial(str(server), well=False, said=str(error))
        except TooMany:
            return Trial(str(server), well=False, said="user_filter finds people whatever the name")
        taken_ms = (time.monotonic() - started) * 1000
        return Trial(str(server), well=True, said=f"answers as it should, in {taken_ms:.0f} ms")

    def _somewhere(self, work: Callable[[Connection], T], *, own: bool = True) -> T:
        """Do *work* at the first server that serves; *own*: as our own account."""
        servers = self._to_try()
        if not self._slots.acquire(timeout=self._plan.timeout_s):
            raise self._away()
        try:
            return self._tried(servers, work, own=own)
        finally:
            self._slots.release()

    def _to_try(self) -> list[Server]:
        with self._lock:
            now = time.monotonic()
            if self._away_until is not None:
                if now < self._away_until:
                    raise self._away()
                # This caller tries; the others are told to wait for what it finds.
                self._away_until = now + self._plan.timeout_s * len(self._servers)
            return list(self._servers)

    def _tried(self, servers: list[Server], work: Callable[[Connection], T], *, own: bool) -> T:
        for server in servers:
            try:
                with connected(server, self._context, self._plan.timeout_s) as link:
                    if own:
                        self._introduce(link)
                    result = work(link)
            except Away as error:
                _log.warning("directory %s: %s: %s", self._plan.name, server, error)
                continue
            except Conflict:  # about one person; the server itself is well
                self._prefer(server)
                raise
            self._prefer(server)
            return result
        with self._lock:
            self._away_until = time.monotonic() + self._plan.pause_s
        raise self._away()

    def _introduce(self, link: Connection) -> None:
        if not link.bind(self._plan.bind_dn, self._plan.bind_password):
            raise Away(f"refuses the password of {self._plan.bind_dn}")

    def _prefer(self, server: Server) -> None:
        with self._lock:
            self._away_until = None
            if self._servers[0] != server:
                self._servers.remove(server)
                self._servers.insert(0, server)

    def _one(self, link: Connection, condition: bytes, login: str | None) -> Person | None:
        plan = self._plan
        try:
            found = link.search(plan.base, condition, plan.attributes, limit=1)
        except TooMany:
            raise Conflict(
                f"the directory {plan.name} knows several people of this name",
                field="name",
                rule="directory.several",
                remedy="make its user_filter say which one is meant",
            ) from None
        return self._person(link, found[0], login) if found else None

    def _person(self, link: Connection, entry: Entry, login: str | None) -> Person:
        plan = self._plan
        name = _chosen(self._values(entry, plan.login_attribute), login)
        subject = self._subject(entry)
        if name is None or subject is None:
            missing = plan.login_attribute if name is None else plan.id_attribute
            raise Conflict(
                f"the directory {plan.name} shows no {missing} of {entry.dn}",
                field="directory",
                rule="directory.entry",
                remedy="let the account of bind_dn read it, or name another attribute",
            )
        display = self._values(entry, plan.name_attribute) or self._values(entry, "cn")
        mail = self._values(entry, plan.mail_attribute)
        return Person(
            subject=subject,
            login=name,
            display_name=display[0][:_MAX_VALUE] if display else name,
            email=mail[0][:_MAX_VALUE] if mail else "",
            groups=self._groups.of(link, entry.dn, name),
            dn=entry.dn,
        )

    def _subject(self, entry: Entry) -> str | None:
        values = entry.attributes.get(self._plan.id_attribute.lower(), ())
        if len(values) != 1:
            return None
        return values[0].hex() if self._plan.binary_id else values[0].decode("utf-8", "replace")

    def _values(self, entry: Entry, name: str) -> list[str]:
        octets = entry.attributes.get(name.lower(), ())
        return [text for one in octets if (text := one.decode("utf-8", "replace").strip())]

    def _away(self) -> Unavailable:
        return Unavailable(
            f"the directory {self._plan.name} does not answer",
            field="directory",
            rule="directory.away",
            remedy="try again later; local accounts work meanwhile",
        )


def _chosen(values: list[str], login: str | None) -> str | None:
    """Of several names, the one that was typed; else the first in order."""
    typed = [
        v for v in values if login and directory_names.folded(v) == directory_names.folded(login)
    ]
    return min(typed or values, default=None)
