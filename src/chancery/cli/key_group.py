"""``chancery key-group``: keys that belong together, and who may do what with them."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import definitions, files, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.domain.errors import BadRequest

app = group("key-group")

_COLUMNS: Final = ("name", "parent", "owner", "approvals", "description")
Name = Annotated[str, Parameter(help="Name of the key group.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the key groups that you have any right in."""
    with api.open() as server:
        items = server.items("key-groups", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show a key group: its owner, and who may do what."""
    with api.open() as server:
        output.show(server.get("key-groups", name), as_json=api.as_json)


@app.command(name="set")
def set_(
    name: Name,
    /,
    *,
    description: Annotated[str | None, Parameter(help="What its keys are for.")] = None,
    owner: Annotated[
        str | None, Parameter(help="Group of people with every right over its keys.")
    ] = None,
    grant: Annotated[
        tuple[str, ...],
        Parameter(
            help="ROLE=RIGHTS or group:NAME=RIGHTS: view,use,manage,approve,hold; repeatable."
        ),
    ] = (),
    approvals: Annotated[
        int | None, Parameter(help="How many others must agree to changes and exports.")
    ] = None,
    parent: Annotated[str | None, Parameter(help="Key group above it.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Make a key group, or change what is given; grants take the place of those there are."""
    with api.open() as server:
        known = {one["name"]: one for one in server.items("key-groups", limit=None)}
        body = known.get(name, {"name": name, "description": "", "owner": "", "grants": {}})
        given = {"description": description, "owner": owner, "approvals": approvals}
        body = body | output.given(given | {"parent": parent})
        if grant:
            body["grants"] = dict(_grant(text) for text in grant)
        answer = server.put("key-groups", name, body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def put(definition: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Write a key group from a JSON or TOML file."""
    body = definitions.read(definition)
    with api.open() as server:
        answer = server.put("key-groups", body["name"], body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete an empty key group."""
    with api.open() as server:
        server.delete("key-groups", name)
    output.done(name, "deleted", as_json=api.as_json)


def _grant(text: str) -> tuple[str, list[str]]:
    title, equals, rights = text.partition("=")
    if not equals:
        raise BadRequest(
            f"{text!r} grants nothing", field="--grant", remedy="write ca-operator=view,use"
        )
    return title, [right for right in rights.split(",") if right]
