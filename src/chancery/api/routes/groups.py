"""Groups of accounts."""

from typing import Annotated

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import In, Name, Out, Text
from chancery.api.routes.users import ROLES
from chancery.api.routing import Door, Who
from chancery.domain.identity import Group, Permission, Role, RoleClass

door = Door("/groups", "groups")

Logins = Annotated[int, Field(ge=1, le=2)]


class GroupOut(Out):
    """A group; its *roles* come on top of its members' own.

    Where *logins_required* is 2, membership counts only in a session that two
    members have signed in to together.
    """

    name: str
    description: str
    roles: list[Role]
    role_class: RoleClass
    logins_required: int
    members: list[str]


class GroupIn(In):
    name: Name
    description: Text = ""
    roles: list[Annotated[Role, ROLES]] = Field(default_factory=list)
    role_class: Annotated[RoleClass, ROLES] | None = None
    logins_required: Logins = 1


class GroupEdit(In):
    description: Text | None = None
    logins_required: Logins | None = None


def _group_out(group: Group) -> GroupOut:
    return GroupOut(
        name=group.name,
        description=group.description,
        roles=sorted(group.roles),
        role_class=group.role_class,
        logins_required=group.logins_required,
        members=sorted(group.members),
    )


@door.route("GET", "", Permission.IDENTITY_READ)
def list_groups(who: Who, using: Using) -> list[GroupOut]:
    """List every group, by name."""
    return [_group_out(group) for group in using.identity.groups.all(who)]


@door.route("POST", "", Permission.IDENTITY_MANAGE, status=201)
def create_group(who: Who, using: Using, body: GroupIn) -> GroupOut:
    """Make an empty group."""
    return _group_out(
        using.identity.groups.create(
            who,
            body.name,
            description=body.description,
            roles=body.roles,
            role_class=body.role_class,
            logins_required=body.logins_required,
        )
    )


@door.route("GET", "/{name}", Permission.IDENTITY_READ)
def show_group(who: Who, using: Using, name: str) -> GroupOut:
    """Show a group and its members."""
    return _group_out(using.identity.groups.show(who, name))


@door.route("PATCH", "/{name}", Permission.IDENTITY_MANAGE)
def edit_group(who: Who, using: Using, name: str, body: GroupEdit) -> GroupOut:
    """Change a group: what it is for, and how many must sign in together."""
    return _group_out(using.identity.groups.edit(who, name, **body.model_dump()))


@door.route("DELETE", "/{name}", Permission.IDENTITY_MANAGE, status=204)
def delete_group(who: Who, using: Using, name: str) -> None:
    """Remove a group that nothing relies on."""
    using.identity.groups.delete(who, name)


@door.route("PUT", "/{name}/members/{user}", Permission.IDENTITY_MANAGE)
def add_member(who: Who, using: Using, name: str, user: str) -> GroupOut:
    """Put an account into a group."""
    return _group_out(using.identity.groups.add_member(who, name, user))


@door.route("DELETE", "/{name}/members/{user}", Permission.IDENTITY_MANAGE)
def remove_member(who: Who, using: Using, name: str, user: str) -> GroupOut:
    """Take an account out of a group."""
    return _group_out(using.identity.groups.remove_member(who, name, user))
