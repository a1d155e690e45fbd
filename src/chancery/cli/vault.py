"""``chancery vault``: where keys are, and whether these places work."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import UNVERIFIED
from chancery.cli.instance import AsJson, Config

app = group("vault")

_COLUMNS: Final = ("name", "kind", "state", "sessions", "signatures", "authorities", "reason")
Name = Annotated[str, Parameter(help="Name of the vault, as the settings have it.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the vaults: health, sessions, whose keys they have."""
    with api.open() as server:
        output.listing(server.items("vaults", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show a vault, its token, and the keys on it."""
    with api.open() as server:
        output.show(server.get("vaults", name), as_json=api.as_json)


@app.command(name="test")
def try_(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Make a key of each kind, sign, verify and destroy it; exit code 8 if one fails."""
    with api.open() as server:
        _probed(server.post("vaults", name, "test"), api)


@app.command
def self_test(*, api: Connection = DEFAULT) -> None:
    """Run the signer's known-answer tests; exit code 8 if one fails."""
    with api.open() as server:
        _probed(server.post("signer", "self-test"), api)


@app.command
def unlock(name: Name, /, *, config: Config, as_json: AsJson = False) -> None:
    """Type a token's PIN: for a vault without a pin_file, after each start of the signer.

    Run as the account of the service, on its machine.  The PIN is asked for
    and not shown, or is one line of standard input.
    """
    from chancery.app.vaults import unlock as give  # noqa: PLC0415 - loads the settings
    from chancery.cli.conversation import Terminal  # noqa: PLC0415

    give(config, name, Terminal().secret(f"PIN of vault {name}"))
    output.done(name, "unlocked", as_json=as_json)


def _probed(probes: Sequence[Mapping[str, Any]], api: Connection) -> None:
    def told(found: Sequence[Mapping[str, Any]]) -> None:
        output.table([dict(one) for one in found], ("name", "passed", "took_us", "detail"))

    output.show(probes, as_json=api.as_json, human=told)
    if not all(one["passed"] for one in probes):
        raise SystemExit(UNVERIFIED)
