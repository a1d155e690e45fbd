"""Who started an operation, kept so that its work is done in that person's name."""

from collections.abc import Mapping
from typing import Any

from chancery.domain.errors import BadRequest
from chancery.domain.identity import AuthMethod, Permission, Principal, Role
from chancery.ports import Session
from chancery.services.identity.principals import effective_roles, groups_of, permissions_of


def kept(principal: Principal) -> dict[str, Any]:
    """*principal* as plain JSON."""
    return {
        "name": principal.name,
        "roles": sorted(principal.roles),
        "groups": sorted(principal.groups),
        "permissions": sorted(principal.permissions),
        "method": principal.method.value,
        "origin": principal.origin,
        "partner": principal.partner,
    }


def standing(session: Session, found: Mapping[str, Any]) -> Principal:
    """The principal, with what it still may: never more than when it began.

    BadRequest where the account is gone or disabled: its operations end.
    """
    name = str(found["name"])
    user = session.identities.user(name)
    if user is None or user.disabled:
        raise BadRequest(
            f"the account {name} that started this is disabled or gone",
            field="principal",
            rule="operation.principal",
            remedy="have somebody else start it again",
        )
    roles = effective_roles(user, groups_of(session, user))
    return Principal(
        name=name,
        roles=frozenset(Role(role) for role in found["roles"]) & roles,
        groups=frozenset(found["groups"]) & user.groups,
        permissions=frozenset(Permission(one) for one in found["permissions"])
        & permissions_of(roles),
        method=AuthMethod(found["method"]),
        origin=str(found["origin"]),
        partner=str(found.get("partner", "")),
    )
