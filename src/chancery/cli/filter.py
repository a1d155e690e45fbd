"""``chancery filter``: searches that you keep."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("filter")

_COLUMNS: Final = ("name", "query", "created_at")
ListName = Annotated[
    Literal["certificates", "requests"], Parameter(help="The list that is searched.")
]
Name = Annotated[str, Parameter(help="What you call the search.")]


@app.command(name="list")
def list_(list_name: ListName, /, *, api: Connection = DEFAULT) -> None:
    """List the searches that you keep for a list."""
    with api.open() as server:
        items = server.items("filters", list_name, limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def save(
    list_name: ListName,
    name: Name,
    query: Annotated[str, Parameter(help="Conditions: status=valid&profile=tls-server.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Keep a search; one of that name is replaced."""
    with api.open() as server:
        answer = server.put("filters", list_name, name, body={"query": query})
    output.show(answer, as_json=api.as_json)


@app.command
def delete(list_name: ListName, name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Forget a search."""
    with api.open() as server:
        server.delete("filters", list_name, name)
    output.done(name, "deleted", as_json=api.as_json)
