"""``chancery provider``: OpenID providers that vouch for people."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("provider")

_COLUMNS: Final = ("name", "title", "issuer", "suffix", "accounts")
Name = Annotated[str, Parameter(help="Name of the provider, as the settings have it.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the identity providers of the settings."""
    with api.open() as server:
        output.listing(server.items("providers", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def check(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Fetch what a provider publishes about itself; say whether it fits the settings."""
    with api.open() as server:
        answer = server.post("providers", name, "check")
    output.show(answer, as_json=api.as_json)
