"""``chancery container``: trees of authorities with one owner."""

from typing import Annotated

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("container")


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the containers."""
    with api.open() as server:
        items = server.items("containers", limit=None)
        output.listing(items, ("name", "owner_group", "description"), as_json=api.as_json)


@app.command
def create(
    name: Annotated[str, Parameter(help="Name of the new container.")],
    /,
    *,
    owner_group: Annotated[str | None, Parameter(help="Group that owns what is in it.")] = None,
    description: Annotated[str | None, Parameter(help="What it is for.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Create a container."""
    body: Json = {"name": name, "owner_group": owner_group, "description": description}
    with api.open() as server:
        answer = server.post("containers", body=output.given(body))
    output.show(answer, as_json=api.as_json)
