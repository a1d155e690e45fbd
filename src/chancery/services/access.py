"""Authority to act, checked where the act happens: a door may forget, a service does not."""

from chancery.domain.errors import NotAuthenticated, NotPermitted, Unavailable
from chancery.domain.identity import AuthMethod, Permission, Principal


def demand(principal: Principal, permission: Permission) -> None:
    """Raise unless *principal* holds *permission*, and is confined to no registration authority.

    A service that holds everything it does to ``principal.ra`` asks
    ``demand_within``; all others are out of reach through a gateway.
    """
    if principal.ra:
        raise NotPermitted(
            f"through the registration authority {principal.ra} this cannot be done",
            field="principal",
            rule="gateway.reach",
            remedy="do it at the central instance",
        )
    demand_within(principal, permission)


def demand_within(principal: Principal, permission: Permission) -> None:
    """Raise unless *principal* holds *permission*; who asks looks after ``principal.ra``."""
    if permission in principal.permissions:
        return
    if principal.method is AuthMethod.NONE:
        raise NotAuthenticated(
            "this needs a signed-in account",
            field="authorization",
            rule=permission.value,
            remedy="send a bearer token, a password or a bound client certificate",
        )
    if permission in principal.suspended:
        raise Unavailable(
            f"the directory {principal.away}, which vouches for {principal.name}, does not answer",
            field="principal",
            rule="directory.away",
            remedy="try again later, or let somebody with a local account do it",
        )
    if principal.owes:
        raise NotPermitted(
            f"{principal.name} must {principal.owes} before anything else",
            field="principal",
            rule="account.unfinished",
            remedy="sign in on the web and do so; a password also by `chancery account password`",
        )
    raise NotPermitted(
        f"{principal.name} may not do this",
        field="principal",
        rule=permission.value,
        remedy=f"ask an administrator for a role that grants {permission.value}",
    )
