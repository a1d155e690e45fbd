"""``chancery ra``: who may ask for what, and who decides."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import definitions, files, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("ra")

_COLUMNS: Final = ("name", "profiles", "authorities", "approval_group", "approvals", "anonymous")
Name = Annotated[str, Parameter(help="Name of the registration authority.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the registration authorities."""
    with api.open() as server:
        output.listing(server.items("ras", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show a registration authority."""
    with api.open() as server:
        found = server.get("ras", name)
    output.show(found, as_json=api.as_json)


@app.command
def put(definition: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Create or replace a registration authority from a JSON or TOML file."""
    wanted = definitions.read(definition)
    with api.open() as server:
        answer = server.put("ras", wanted["name"], body=wanted)
    output.show(answer, as_json=api.as_json)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete a registration authority that has nothing undecided."""
    with api.open() as server:
        server.delete("ras", name)
    output.done(name, "deleted", as_json=api.as_json)
