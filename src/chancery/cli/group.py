"""``chancery group``: groups of accounts."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.user import RoleClass, Roles

app = group("group")

_COLUMNS: Final = ("name", "description", "roles", "logins_required", "members")
Name = Annotated[str, Parameter(help="Name of the group.")]
Logins = Annotated[
    Literal[1, 2] | None,
    Parameter(help="2: membership counts only where two members have signed in together."),
]
Description = Annotated[str | None, Parameter(help="What it is for.")]
Member = Annotated[str, Parameter(help="Name of the account.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the groups."""
    with api.open() as server:
        output.listing(server.items("groups", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show a group and its members."""
    with api.open() as server:
        found = server.get("groups", name)
    output.show(found, as_json=api.as_json)


@app.command
def create(
    name: Name,
    /,
    *,
    description: Description = None,
    role: Roles = (),
    role_class: RoleClass = None,
    logins_required: Logins = None,
    api: Connection = DEFAULT,
) -> None:
    """Create a group; its members hold its roles."""
    body: Json = {"name": name, "description": description, "role_class": role_class}
    body |= {"roles": list(role) or None, "logins_required": logins_required}
    with api.open() as server:
        answer = server.post("groups", body=output.given(body))
    output.show(answer, as_json=api.as_json)


@app.command
def edit(
    name: Name,
    /,
    *,
    description: Description = None,
    logins_required: Logins = None,
    api: Connection = DEFAULT,
) -> None:
    """Change a group: what it is for, and how many must sign in together."""
    body = output.given({"description": description, "logins_required": logins_required})
    with api.open() as server:
        answer = server.patch("groups", name, body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete a group."""
    with api.open() as server:
        server.delete("groups", name)
    output.done(name, "deleted", as_json=api.as_json)


@app.command
def add(name: Name, user: Member, /, *, api: Connection = DEFAULT) -> None:
    """Add an account to a group."""
    with api.open() as server:
        server.put("groups", name, "members", user)
    output.done(name, f"added {user}", as_json=api.as_json)


@app.command
def remove(name: Name, user: Member, /, *, api: Connection = DEFAULT) -> None:
    """Remove an account from a group."""
    with api.open() as server:
        server.delete("groups", name, "members", user)
    output.done(name, f"removed {user}", as_json=api.as_json)
