"""``chancery key-component``: keys in pieces that different people bring or take."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import arguments, files, key_text, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.key_text import (
    Name,
    NewKey,
)

app = group("key-component")

_COLUMNS: Final = ("id", "key", "kind", "outward", "total", "seen", "expires_at", "closed")
Entry = Annotated[str, Parameter(help="Id of the entry.")]
Number = Annotated[int, Parameter(help="Number of the component, from 1.")]
CheckValue = Annotated[str | None, Parameter(help="Check value on the paper, in hex.")]


@app.command(name="list")
def list_(*, limit: arguments.Limit = 100, api: Connection = DEFAULT) -> None:
    """List the keys that come or go in components."""
    with api.open() as server:
        items = server.items("key-components", limit=limit + 1)
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=limit)


@app.command
def begin(
    name: Name,
    /,
    *,
    total: Annotated[int, Parameter(help="How many components.")],
    new: NewKey,
    api: Connection = DEFAULT,
) -> None:
    """Open an entry for a key that comes in components."""
    body = new.body(name)
    with api.open() as server:
        answer = server.post("key-components", body=body | {"total": total})
    output.show(answer, as_json=api.as_json)


@app.command
def enter(
    entry: Entry, number: Number, /, *, check_value: CheckValue = None,
    component_file: Annotated[
        Path | None, Parameter(help="File with the digits; else you are asked for them.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Bring a component: hexadecimal digits, typed unseen."""
    digits = files.secret(component_file, "component")
    body = {"number": number, "component": digits.replace(" ", ""), "check_value": check_value}
    with api.open() as server:
        answer = server.post("key-components", entry, "enter", body=output.given(body))
    output.show(answer, as_json=api.as_json)


@app.command
def finish(entry: Entry, /, *, check_value: CheckValue = None, api: Connection = DEFAULT) -> None:
    """Make the key, once every component is in."""
    with api.open() as server:
        body = output.given({"check_value": check_value})
        made = server.post("key-components", entry, "finish", body=body)
    output.show(made, as_json=api.as_json, human=key_text.shown)


@app.command
def take(entry: Entry, number: Number, /, *, api: Connection = DEFAULT) -> None:
    """See your own component of a key that goes out: this once."""
    with api.open() as server:
        answer = server.post("key-components", entry, "take", str(number))
    output.show(answer, as_json=api.as_json)


@app.command
def drop(entry: Entry, /, *, api: Connection = DEFAULT) -> None:
    """Give an entry up; what came in is erased."""
    with api.open() as server:
        server.delete("key-components", entry)
    output.done(entry, "dropped", as_json=api.as_json)
