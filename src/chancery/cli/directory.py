"""``chancery directory``: LDAP directories that vouch for people."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("directory")

_COLUMNS: Final = ("name", "suffix", "searched", "recheck_s", "accounts")
Name = Annotated[str, Parameter(help="Name of the directory, as the settings have it.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the directories of the settings."""
    with api.open() as server:
        output.listing(server.items("directories", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def check(
    name: Name,
    /,
    *,
    user: Annotated[str | None, Parameter(help="Login of somebody to look up.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Try every server of a directory; show what it says of somebody, and what that means here."""
    with api.open() as server:
        answer = server.post("directories", name, "check", body=output.given({"user": user}))
    output.show(answer, as_json=api.as_json)
