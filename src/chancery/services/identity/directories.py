"""Signing in with the password that a directory keeps, and what administrators see of directories.

``alice@corp`` is looked up in the directory whose suffix it ends in; ``alice``,
where there is no such account, in each directory that is searched, in order,
until one knows the name.  Nothing here says whether a name exists: somebody
and nobody cost the same questions.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chancery.domain import directory_names
from chancery.domain.directory import Mapped, Person, Trial
from chancery.domain.errors import Conflict, NotAuthenticated, NotFound, Unavailable
from chancery.domain.identity import Permission, Principal, User
from chancery.ports import Store
from chancery.services.access import demand
from chancery.services.identity.changes import user_of
from chancery.services.identity.policy import is_unicode
from chancery.services.identity.sources import DirectorySource
from chancery.services.identity.standing import StandingCheck
from chancery.services.identity.vouching import Vouching

_log = logging.getLogger(__name__)
MAX_LOGIN = 256


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whom a name may stand for.

    *account* is theirs, if they have been here; *login* is what failures are
    counted by where there is none.  *person* None: nobody, though all goes on
    as if there were somebody.  *away* names a directory that could not be asked.
    """

    login: str
    source: DirectorySource | None = None
    person: Person | None = None
    account: User | None = None
    away: str = ""


@dataclass(frozen=True, slots=True)
class DirectoryView:
    """A directory as it is set up; tells no secret."""

    name: str
    suffix: str
    searched: bool
    recheck_s: int
    mapping: tuple[Mapped, ...]
    accounts: int


@dataclass(frozen=True, slots=True)
class PersonView:
    """What a directory says of somebody, and what that would make of them here."""

    login: str
    account: str
    display_name: str
    email: str
    dn: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    local_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """What each server answered; *person* where one was asked for."""

    servers: tuple[Trial, ...]
    person: PersonView | None = None


class Directories:
    """Held by ``Authentication``; ``list`` and ``check`` are for administrators."""

    def __init__(
        self,
        store: Store,
        vouching: Vouching,
        standing: StandingCheck,
        sources: Sequence[DirectorySource],
    ) -> None:
        self._store = store
        self._vouching = vouching
        self._standing = standing
        self._sources = {source.source.name: source for source in sources}
        self._reviewed = ""  # the last account of the latest round
        self._searched = [source for source in sources if source.searched]

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._sources)

    def look(self, name: str, account: User | None) -> Candidate:
        """Find out whom *name* stands for; *account* is the one that is called so, if any.

        Unavailable if the one directory that may know is away.
        """
        name = name[:MAX_LOGIN] if is_unicode(name) else ""
        login = directory_names.folded(name)
        if account is not None and account.directory in self._sources:
            return self._of_account(login, account)
        found = self._searched_for(name, login)
        # Whom a provider vouches for has no password here: as long a way to the same answer.
        return found if account is None else replace(found, person=None, account=account)

    def proves(self, candidate: Candidate, password: str) -> bool:
        """Whether this is their password.  Raises Unavailable."""
        if candidate.source is None:
            return False
        return candidate.source.directory.proves(candidate.person, password)

    def admit(self, candidate: Candidate, origin: str) -> str:
        """Return the account of who has proved to be this candidate, true to their groups."""
        assert candidate.source is not None
        assert candidate.person is not None
        name = self._vouching.admit(candidate.source.source, candidate.person, origin)
        self._standing.admitted(name, candidate.source)
        return name

    def pretend(self, name: str) -> str:
        """Do for a local account what is done for other names; name the directory that is away."""
        try:
            candidate = self.look(name, None) if self._searched else Candidate("")
            if not candidate.away:
                self.proves(Candidate("", source=candidate.source), "-")
        except Unavailable:
            return self._searched[-1].source.name
        return candidate.away

    def review(self, most: int = 200) -> int:
        """Ask about the next *most* accounts, so that the record is true of idle ones as well.

        Return how many of them nobody vouches for any more.
        """
        with self._store.read() as session:
            known = sorted(
                vouched.user
                for source in self._sources.values()
                for vouched in session.vouched.all(source.source.key)
            )
            later = [name for name in known if name > self._reviewed][:most]
            users = [user for name in later if (user := session.identities.user(name))]
        self._reviewed = later[-1] if len(later) == most else ""
        away: set[str | None] = set()
        gone = 0
        for user in users:
            try:
                if user.directory not in away and self._standing.current(user):
                    away.add(user.directory)
            except NotAuthenticated:
                gone += 1
        return gone

    # For administrators

    def list(self, principal: Principal) -> list[DirectoryView]:
        demand(principal, Permission.IDENTITY_READ)
        with self._store.read() as session:
            counts = {
                name: len(session.vouched.all(one.source.key))
                for name, one in self._sources.items()
            }
        return [
            DirectoryView(
                name=name,
                suffix=one.source.suffix,
                searched=one.searched,
                recheck_s=one.recheck_s,
                mapping=one.source.mapping.rows,
                accounts=counts[name],
            )
            for name, one in self._sources.items()
        ]

    def check(self, principal: Principal, name: str, login: str | None = None) -> Examined:
        """Try every server of a directory; look somebody up if a *login* is given."""
        demand(principal, Permission.IDENTITY_MANAGE)
        source = self._sources.get(name)
        if source is None:
            raise NotFound(
                f"no directory named {name[:64]!r}",
                field="name",
                rule="directory.known",
                remedy="`chancery directory list` shows those there are",
            )
        servers = tuple(source.directory.examine())
        if login is None:
            return Examined(servers)
        person = source.directory.find(login)
        if person is None:
            raise NotFound(
                f"{name} knows nobody active whose login is {login[:64]!r}",
                field="user",
                rule="directory.person",
                remedy="look at user_filter and active_filter of the directory",
            )
        return Examined(servers, self._view(source, person))

    def _view(self, source: DirectorySource, person: Person) -> PersonView:
        standing = source.source.mapping.standing(person.groups)
        account = self._vouching.account(source.source, person.subject)
        return PersonView(
            login=person.login,
            account=account.name if account else source.source.account_names(person)[0],
            display_name=person.display_name,
            email=person.email,
            dn=person.dn,
            groups=person.groups,
            roles=tuple(sorted(standing.roles)),
            local_groups=tuple(sorted(standing.groups)),
        )

    def _searched_for(self, name: str, login: str) -> Candidate:
        for source in self._sources.values():
            if login.endswith(source.source.suffix):
                typed = name.strip()[: -len(source.source.suffix)]
                return self._asked(source, typed)
        for source in self._searched:
            try:
                found = self._asked(source, name)
            except Unavailable:
                # Not the next one: it would be shown a password that is meant for this one.
                return Candidate(login, away=source.source.name)
            if found.person is not None:
                return found
        return Candidate(login, source=self._searched[-1] if self._searched else None)

    def _of_account(self, login: str, account: User) -> Candidate:
        """By who they are, not by what they are called there today."""
        source = self._sources[account.directory or ""]
        with self._store.read() as session:
            vouched = session.vouched.of(user_of(session, account.name).name)
        if vouched is None or vouched.source != source.source.key:
            return Candidate(login, account=account)
        try:
            person = source.directory.again(vouched.subject)
        except Conflict as unclear:
            _log.warning("%s: %s", account.name, unclear)
            person = None
        return Candidate(login, source, person, account)

    def _asked(self, source: DirectorySource, typed: str) -> Candidate:
        login = directory_names.folded(typed)
        try:
            person = source.directory.find(typed)
        except Conflict as unclear:
            _log.warning("somebody cannot sign in: %s", unclear)
            person = None
        if person is None:
            return Candidate(login, source)
        account = self._vouching.account(source.source, person.subject)
        return Candidate(directory_names.folded(person.login), source, person, account)
