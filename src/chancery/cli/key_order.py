"""``chancery key-order``: what waits for others to agree to it."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import arguments, files, key_text, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("key-order")

_COLUMNS: Final = ("id", "state", "action", "key", "requested_by", "needed", "approvers")
Id = Annotated[str, Parameter(help="Id, as the command that asked printed it.")]


@app.command(name="list")
def list_(
    *,
    state: Annotated[str | None, Parameter(help="open, approved, done, denied or expired.")] = None,
    limit: arguments.Limit = 100,
    api: Connection = DEFAULT,
) -> None:
    """List what was asked for, newest first."""
    with api.open() as server:
        items = server.items("key-orders", limit=limit + 1, state=state)
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=limit)


@app.command
def show(order: Id, /, *, api: Connection = DEFAULT) -> None:
    """Show what is asked for."""
    with api.open() as server:
        output.show(server.get("key-orders", order), as_json=api.as_json)


@app.command
def approve(order: Id, /, *, api: Connection = DEFAULT) -> None:
    """Agree to what somebody else asked for, as it is now."""
    with api.open() as server:
        content = server.get("key-orders", order)["content"]
        answer = server.post("key-orders", order, "approve", body={"content": content})
    output.show(answer, as_json=api.as_json)


@app.command
def deny(
    order: Id, /, *, reason: Annotated[str, Parameter(help="Why not.")], api: Connection = DEFAULT
) -> None:
    """Say no; or withdraw what you asked for."""
    with api.open() as server:
        answer = server.post("key-orders", order, "deny", body={"reason": reason})
    output.show(answer, as_json=api.as_json)


@app.command
def perform(
    order: Id,
    /,
    *,
    passphrase_file: Annotated[
        Path | None, Parameter(help="File with the passphrase to pack a private key with.")
    ] = None,
    output_: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Carry out what others have agreed to."""
    files.check_free(output_, force=force)
    with api.open() as server:
        found = server.get("key-orders", order)
        body = {}
        if found["action"] == "package":
            body["passphrase"] = files.passphrase(passphrase_file)
        answer = server.post("key-orders", order, "perform", body=body)
    if found["action"] == "split":
        entry = key_text.plain(answer, "data").decode()
        output.done(entry, "each holder: chancery key-component take", as_json=api.as_json)
        return
    key_text.outcome(answer, as_json=api.as_json, to=output_, force=force)
