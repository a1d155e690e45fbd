"""``chancery key-template``: what new keys are like."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import definitions, files, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("key-template")

_COLUMNS: Final = ("name", "kind", "rules.uses", "rules.exportability", "entry", "description")
Name = Annotated[str, Parameter(help="Name of the template.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the key templates, those that are shipped among them."""
    with api.open() as server:
        items = server.items("key-templates", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show a key template."""
    with api.open() as server:
        output.show(server.get("key-templates", name), as_json=api.as_json)


@app.command
def put(definition: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Write a key template from a JSON or TOML file; `show --json` prints an example."""
    body = definitions.read(definition)
    with api.open() as server:
        answer = server.put("key-templates", body["name"], body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete a template of your own; what is shipped then counts again."""
    with api.open() as server:
        server.delete("key-templates", name)
    output.done(name, "deleted", as_json=api.as_json)
