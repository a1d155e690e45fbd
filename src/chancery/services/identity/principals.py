"""From an account on record to what it may do in one request."""

from collections.abc import Iterable

from chancery.domain.errors import NotPermitted
from chancery.domain.identity import (
    CLASS_OF,
    GRANTS,
    AuthMethod,
    Group,
    Permission,
    Principal,
    Role,
    User,
)
from chancery.ports import Session

_ALWAYS = frozenset({Permission.PUBLIC, Permission.AUTHENTICATED})
_LOOKING = _ALWAYS | {
    Permission.CERTIFICATE_READ,
    Permission.AUTHORITY_READ,
    Permission.PROFILE_READ,
    Permission.RA_READ,
}


def groups_of(session: Session, user: User) -> list[Group]:
    """Return the groups *user* is in."""
    found = (session.identities.group(name) for name in user.groups)
    return [group for group in found if group is not None]


def counting(groups: Iterable[Group], partner: User | None = None) -> list[Group]:
    """Return those whose membership counts: where two logins are required, only beside *partner*.

    *partner* has signed in together with the account, and must be a member too.
    """
    return [
        group
        for group in groups
        if group.logins_required == 1 or (partner is not None and group.name in partner.groups)
    ]


def effective_roles(user: User, groups: Iterable[Group]) -> frozenset[Role]:
    """Return the account's own roles and those of its groups.

    A mixture of classes means that the record was changed behind our back (a
    restored backup, a direct UPDATE): then the account may do nothing at all.
    """
    roles = user.roles.union(*(group.roles for group in groups))
    if len({CLASS_OF[role] for role in roles}) > 1:
        raise NotPermitted(
            f"{user.name} holds roles of two classes and may do nothing",
            field="roles",
            rule="FMT_SMR.2",
            remedy="ask an administrator to withdraw one of them",
        )
    return roles


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return what *roles* grant, and what every signed-in account may do."""
    return _ALWAYS.union(*(GRANTS[role] for role in roles))


def principal_of(
    session: Session,
    user: User,
    method: AuthMethod,
    origin: str,
    scopes: frozenset[Permission] | None = None,
    *,
    partner: User | None = None,
    fresh: bool = False,
    away: str = "",
) -> Principal:
    """Build the principal; *scopes* only ever take away.

    *away*: the directory that vouches for the account and does not answer.
    Then it may look at what there is, and nothing else.
    """
    groups = counting(groups_of(session, user), partner)
    roles = effective_roles(user, groups)
    permissions = permissions_of(roles)
    if scopes is not None:
        permissions = (permissions & scopes) | _ALWAYS
    suspended = permissions - _LOOKING if away else frozenset()
    return Principal(
        name=user.name,
        roles=roles,
        groups=frozenset(group.name for group in groups),
        permissions=permissions - suspended,
        method=method,
        origin=origin,
        fresh=fresh,
        partner=partner.name if partner is not None else "",
        away=away,
        suspended=suspended,
    )


def restricted(user: User, method: AuthMethod, origin: str, *, fresh: bool) -> Principal:
    """Somebody known who must set their own credentials right before anything else."""
    owes = "change the password" if user.must_change_password else "enrol a second factor"
    return Principal(user.name, frozenset(), frozenset(), _ALWAYS, method, origin, fresh, owes=owes)
