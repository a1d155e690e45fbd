"""What every change to an identity has in common: authority, one transaction, its audit record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chancery.domain.directory import NOTHING, Standing
from chancery.domain.errors import Conflict, NotFound
from chancery.domain.identity import Group, Principal, Role, RoleClass, User
from chancery.ports import Clock, Session, Store
from chancery.services.audit import event
from chancery.services.identity.policy import mixing
from chancery.services.identity.token_cache import TokenCache

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ledger:
    """Applies changes.  Held by each part of the identity service."""

    store: Store
    clock: Clock
    cache: TokenCache
    governed: Mapping[str, Standing] = field(default_factory=dict)
    """What each directory and provider decides alone, by its name."""

    def change(
        self,
        principal: Principal,
        action: str,
        subject_id: str,
        work: Callable[[Session], T],
        **details: Any,
    ) -> T:
        """Run *work* and append its event in one transaction; then forget cached tokens.

        Refuses, by undoing it, a change after which nobody is left to
        administer accounts.
        """

        change = event(principal, action, subject_id, **details)

        def unit(session: Session) -> T:
            governed = has_administrator(session)
            result = work(session)
            if governed and not has_administrator(session):
                raise Conflict(
                    "this would leave no administrator with a local account",
                    field="roles",
                    rule="identity.last-administrator",
                    remedy="make another account an administrator first",
                )
            session.audit.append([change], self.clock.ms())
            return result

        try:
            return self.store.write(unit)
        finally:
            # After the commit, and also when its outcome is unknown: a look-up costs little.
            self.cache.clear()

    def refuse_governed(self, user: User, role: Role | None = None, group: str = "") -> None:
        """Raise Conflict if the directory of *user* decides about this role or group."""
        standing = self.governed.get(user.directory or "", NOTHING)
        if role in standing.roles or group in standing.groups:
            raise Conflict(
                f"{user.directory} decides whether {user.name} holds {role or group}",
                field="role" if role else "group",
                rule="directory.governs",
                remedy="change the groups there, or the mapping in the settings",
            )


def has_administrator(session: Session) -> bool:
    """Say whether enabled accounts can administer: one by itself, or enough through a group.

    Those that a directory vouches for do not count: when it is away, or wrong,
    somebody must still be able to set things right.
    """
    users = session.identities.users()
    enabled = [user for user in users if not user.disabled and user.directory is None]
    if any(Role.ADMINISTRATOR in user.roles for user in enabled):
        return True
    groups = (g for g in session.identities.groups() if Role.ADMINISTRATOR in g.roles)
    return any(sum(g.name in u.groups for u in enabled) >= g.logins_required for g in groups)


def refuse_vouched(user: User) -> None:
    """Raise Conflict for an account whose password a directory or a provider keeps."""
    if user.directory is not None:
        raise Conflict(
            f"the password of {user.name} is kept by {user.directory}",
            field="password",
            rule="directory.password",
            remedy="change it there",
        )


def user_of(session: Session, name: str) -> User:
    user = session.identities.user(name)
    if user is None:
        raise NotFound(
            f"no account named {name!r}",
            field="name",
            rule="account.known",
            remedy="`chancery user list` shows those there are",
        )
    return user


def group_of(session: Session, name: str) -> Group:
    group = session.identities.group(name)
    if group is None:
        raise NotFound(
            f"no group named {name!r}",
            field="group",
            rule="group.known",
            remedy="`chancery group list` shows those there are",
        )
    return group


def adopt(session: Session, user: User, wanted: RoleClass) -> User:
    """Return *user* as a member of class *wanted*; Conflict if it holds anything of another.

    An account that holds no role and sits in no group may still become anything.
    """
    if user.role_class is wanted:
        return user
    if user.roles or user.groups:
        raise mixing(user.name)
    session.identities.update_user(replace(user, role_class=wanted))
    return user_of(session, user.name)


def separated(whose: str, work: Callable[[], None]) -> None:
    """Run a statement whose Conflict is the database's own separation of duties.

    The checks above it give the same answer earlier; this one holds against a
    race between two administrators.
    """
    try:
        work()
    except Conflict as refused:
        raise mixing(whose) from refused
