"""``chancery dn-profile``: how a distinguished name is built."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import definitions, files, output, rules_view
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("dn-profile")

_COLUMNS: Final = ("name", "uniqueness", "description")
Name = Annotated[str, Parameter(help="Name of the DN profile.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the DN profiles."""
    with api.open() as server:
        output.listing(server.items("dn-profiles", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show the rules of a DN profile."""
    with api.open() as server:
        found = server.get("dn-profiles", name)
    output.show(found, as_json=api.as_json, human=rules_view.dn_profile)


@app.command
def put(definition: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Create or replace a DN profile from a JSON or TOML file."""
    wanted = definitions.read(definition)
    with api.open() as server:
        answer = server.put("dn-profiles", wanted["name"], body=wanted)
    output.show(answer, as_json=api.as_json, human=rules_view.dn_profile)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete a DN profile that no profile uses."""
    with api.open() as server:
        server.delete("dn-profiles", name)
    output.done(name, "deleted", as_json=api.as_json)
