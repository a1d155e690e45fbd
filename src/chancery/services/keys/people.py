"""Which accounts could do something with the keys of a group: hold components, agree."""

from chancery.domain.errors import NotFound, NotPermitted
from chancery.domain.identity import AuthMethod, User
from chancery.domain.key_groups import KeyGroup, KeyRight
from chancery.ports import Session
from chancery.services.identity.principals import principal_of
from chancery.services.keys.desk import Desk


def able(desk: Desk, session: Session, group: KeyGroup, right: KeyRight) -> list[str]:
    """Accounts that have *right* in *group*, by name; those of two logins are not among them."""
    return [
        user.name for user in session.identities.users() if _may(desk, session, group, user, right)
    ]


def demand_holder(desk: Desk, session: Session, group: KeyGroup, name: str) -> None:
    """Raise unless the account *name* may be given components of keys in *group*."""
    user = session.identities.user(name)
    if user is None or user.disabled:
        raise NotFound(
            f"no account {name[:64]!r} that works",
            field="holders",
            rule="account.known",
            remedy="`chancery user list` shows those there are",
        )
    if not _may(desk, session, group, user, KeyRight.HOLD):
        raise NotPermitted(
            f"{name} has no right to hold components of keys in {group.name}",
            field="holders",
            rule="key-group.hold",
            remedy="ask an administrator to grant it: `chancery key-group set`",
        )


def _may(desk: Desk, session: Session, group: KeyGroup, user: User, right: KeyRight) -> bool:
    if user.disabled:
        return False
    try:
        who = principal_of(session, user, AuthMethod.SESSION, "")
    except NotPermitted:  # roles of two classes: such an account does nothing
        return False
    return right in desk.effective(who, group)
