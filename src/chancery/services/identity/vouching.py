"""Accounts that others vouch for: made when somebody first signs in, kept true afterwards.

What the source's groups mean here (``domain.directory.Mapping``) is written
into the account, so that everything that reads roles and groups goes on
reading the record; and it is written again whenever the source says otherwise.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.directory import NOTHING, Person, Standing, Vouched
from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import CLASS_OF, SYSTEM, RoleClass, User
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.identity.changes import Ledger, adopt, separated, user_of
from chancery.services.identity.policy import check_email, mixing
from chancery.services.identity.sources import Source

_log = logging.getLogger(__name__)
_MAX_DISPLAY: Final = 100


class Vouching:
    """Writes what a source says.  Held by ``Directories`` and by ``Providers``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def account(self, source: Source, subject: str) -> User | None:
        """The account of this person, if they have been here before."""
        with self._ledger.store.read() as session:
            found = session.vouched.find(source.key, subject)
            return session.identities.user(found.user) if found else None

    def admit(self, source: Source, person: Person, origin: str) -> str:
        """Make or update the account of somebody who has just proved who they are; its name.

        Conflict (FMT_SMR.2) if their groups would mix classes of roles: then
        they hold none of what the groups mean, and the failure is on record.
        """
        wanted = source.mapping.standing(person.groups)
        known = self.account(source, person.subject)
        try:
            return self._change(lambda s: self._admitted(s, source, person, wanted))
        except Conflict as refused:
            rule = refused.rule or "conflict"
            self._change(lambda s: self._refused(s, source, known, rule, origin))
            raise

    def update(self, source: Source, vouched: Vouched, person: Person) -> None:
        """Write what a re-check found, if anything is different; as ``admit`` does."""
        wanted = source.mapping.standing(person.groups)
        with self._ledger.store.read() as session:
            user = user_of(session, vouched.user)
            if self._current(session, source, user, person, wanted, vouched):
                return
        self.admit(source, person, "")

    def forget(self, source: Source, account: str) -> None:
        """Take away everything that the source gave to somebody it no longer vouches for."""
        with self._ledger.store.read() as session:
            user = user_of(session, account)
            governed = source.mapping.governed
            if not (user.roles & governed.roles or user.groups & governed.groups):
                return

        def work(session: Session) -> str:
            events = self._take(session, source, user_of(session, account), NOTHING)
            session.audit.append(events, self._ledger.clock.ms())
            return account

        self._change(work)

    def _change(self, work: Callable[[Session], str]) -> str:
        try:
            return self._ledger.store.write(work)
        finally:
            self._ledger.cache.clear()

    def _current(
        self,
        session: Session,
        source: Source,
        user: User,
        person: Person,
        wanted: Standing,
        vouched: Vouched,
    ) -> bool:
        governed = source.mapping.governed
        groups = {name for name in wanted.groups if session.identities.group(name) is not None}
        return (
            user.roles & governed.roles == wanted.roles
            and user.groups & governed.groups == groups
            and (user.display_name, user.email) == _particulars(person)
            and vouched.login == _printable(person.login)
        )

    def _admitted(self, session: Session, source: Source, person: Person, wanted: Standing) -> str:
        now = self._ledger.clock.s()
        found = session.vouched.find(source.key, person.subject)
        if found is None:
            user, events = self._created(session, source, person, now)
        else:
            user, events = self._renewed(session, source, user_of(session, found.user), person)
        session.vouched.put(
            Vouched(user.name, source.key, person.subject, _printable(person.login), vouched_at=now)
        )
        events += self._take(session, source, user, wanted)
        events += self._give(session, source, user_of(session, user.name), wanted)
        if events:
            session.audit.append(events, self._ledger.clock.ms())
        return user.name

    def _created(
        self, session: Session, source: Source, person: Person, now: int
    ) -> tuple[User, list[AuditEvent]]:
        plain, marked = source.account_names(person)
        name = plain if session.identities.user(plain) is None else marked
        display_name, email = _particulars(person)
        user = User(
            name=name,
            display_name=display_name,
            email=email,
            roles=frozenset(),
            groups=frozenset(),
            role_class=RoleClass.GENERAL,
            disabled=False,
            password_hash=None,
            failed_logins=0,
            locked_until=None,
            created_at=now,
            directory=source.name,
        )
        session.identities.add_user(user)
        details = {
            "directory": source.name,
            "subject": person.subject,
            "login": _printable(person.login),
        }
        return user, [event(SYSTEM, "account.created", name, Outcome.SUCCESS, **details)]

    def _renewed(
        self, session: Session, source: Source, user: User, person: Person
    ) -> tuple[User, list[AuditEvent]]:
        display_name, email = _particulars(person)
        changed = replace(user, display_name=display_name, email=email, directory=source.name)
        if changed == user:
            return user, []
        session.identities.update_user(changed)
        return changed, [event(SYSTEM, "account.changed", user.name, directory=source.name)]

    def _take(
        self, session: Session, source: Source, user: User, wanted: Standing
    ) -> list[AuditEvent]:
        governed = source.mapping.governed
        events = []
        for role in sorted((user.roles & governed.roles) - wanted.roles):
            session.identities.withdraw(user.name, role)
            events.append(_told("role.withdrawn", user.name, source, role=role.value))
        for group in sorted((user.groups & governed.groups) - wanted.groups):
            session.identities.leave(user.name, group)
            events.append(_told("group.left", user.name, source, group=group))
        return events

    def _give(
        self, session: Session, source: Source, user: User, wanted: Standing
    ) -> list[AuditEvent]:
        name, identities = user.name, session.identities
        roles = sorted(wanted.roles - user.roles)
        groups = []
        for wish in sorted(wanted.groups - user.groups):
            group = identities.group(wish)
            if group is None:
                _log.warning("%s maps a group to %s, which there is not", source.name, wish)
            else:
                groups.append(group)
        classes = {CLASS_OF[role] for role in roles} | {group.role_class for group in groups}
        if len(classes) > 1:
            raise mixing(name)
        for wanted_class in classes:
            adopt(session, user, wanted_class)
        events = []
        for role in roles:
            separated(name, lambda role=role: identities.grant(name, role))  # type: ignore[misc]
            events.append(_told("role.granted", name, source, role=role.value))
        for group in groups:
            separated(name, lambda to=group.name: identities.join(name, to))  # type: ignore[misc]
            events.append(_told("group.joined", name, source, group=group.name))
        return events

    def _refused(
        self,
        session: Session,
        source: Source,
        known: User | None,
        rule: str,
        origin: str,
    ) -> str:
        """What the groups meant so far is taken away: nobody knows which half is right."""
        name = known.name if known else "unknown"
        details = {"directory": source.name, "rule": rule}
        events = [
            AuditEvent("login.failed", name, "directory", origin, name, Outcome.FAILURE, details)
        ]
        if known is not None:
            events += self._take(session, source, user_of(session, name), NOTHING)
        session.audit.append(events, self._ledger.clock.ms())
        return name


def _told(action: str, name: str, source: Source, **details: str) -> AuditEvent:
    return event(SYSTEM, action, name, Outcome.SUCCESS, directory=source.name, **details)


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text)).strip()[:_MAX_DISPLAY]


def _particulars(person: Person) -> tuple[str, str]:
    """Display name and mail address, as far as an account here may have them."""
    try:
        email = check_email(person.email)
    except BadRequest:
        email = ""
    return _printable(person.display_name) or _printable(person.login), email
