"""``chancery dn-profile``: how a distinguished name is built."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output, policy, rules_view
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("dn-profile")

_COLUMNS: Final = ("name", "uniqueness", "description")
Name = Annotated[str, Parameter(help="Name of the DN profile.")]
Version = Annotated[int | None, Parameter(help="An older version.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the DN profiles."""
    with api.open() as server:
        output.listing(server.items("dn-profiles", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, version: Version = None, api: Connection = DEFAULT) -> None:
    """Show the rules of a DN profile."""
    if version is not None:
        found = policy.version(api, "dn-profiles", name, version)
    else:
        with api.open() as server:
            found = server.get("dn-profiles", name)
    output.show(found, as_json=api.as_json, human=rules_view.dn_profile)


@app.command
def put(
    definition: files.Input, /, *, accept: policy.Accept = (), api: Connection = DEFAULT
) -> None:
    """Create a DN profile, or a new version of it, from a JSON or TOML file."""
    answer = policy.put(api, "dn-profiles", definition, accept)
    output.show(answer, as_json=api.as_json, human=rules_view.dn_profile)


@app.command
def check(
    definition: files.Input,
    /,
    *,
    within: Annotated[str | None, Parameter(help="Profile of the sample certificate.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Judge a file without writing it: faults, risks, differences, a sample certificate."""
    policy.check(api, "dn-profiles", definition, within=within)


@app.command(name="try")
def try_(definition: files.Input, /, *, last: policy.Last = 100, api: Connection = DEFAULT) -> None:
    """Try a file on the last requests for the profiles that use it."""
    policy.try_out(api, "dn-profiles", definition, last=last)


@app.command
def risks(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List what is dangerous about the profiles that use it."""
    policy.risks(api, "dn-profiles", name)


@app.command
def versions(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List every version of a DN profile."""
    policy.versions(api, "dn-profiles", name)


@app.command
def diff(
    name: Name,
    old: policy.Old = None,
    new: policy.New = None,
    /,
    *,
    file: policy.File = None,
    api: Connection = DEFAULT,
) -> None:
    """Show what changed between two versions, or what a file would change."""
    policy.diff(api, "dn-profiles", name, old, new, file)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete a DN profile that no profile uses."""
    with api.open() as server:
        server.delete("dn-profiles", name)
    output.done(name, "deleted", as_json=api.as_json)
