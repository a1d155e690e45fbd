"""``chancery profile``: what a certificate may say."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import definitions, files, output, policy, rules_view
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("profile")

_COLUMNS: Final = ("name", "version", "description", "validity_s", "approvals", "dn_profile")
Name = Annotated[str, Parameter(help="Name of the profile.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the profiles, each in its latest version."""
    with api.open() as server:
        items = list(server.items("profiles", limit=None))
    rows = items if api.as_json else [definitions.document(item) | item for item in items]
    output.listing(rows, _COLUMNS, as_json=api.as_json)


@app.command
def show(
    name: Name,
    /,
    *,
    version: Annotated[int | None, Parameter(help="An older version.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Show a profile."""
    with api.open() as server:
        found = server.get("profiles", name, version=version)
    output.show(found, as_json=api.as_json, human=rules_view.profile)


@app.command
def put(
    definition: files.Input, /, *, accept: policy.Accept = (), api: Connection = DEFAULT
) -> None:
    """Create a profile, or a new version of it, from a JSON or TOML file.

    The file is what `profile show NAME --json` prints.  Rules, linters and the
    risk check judge it before it counts; an unchanged file changes nothing.
    """
    answer = policy.put(api, "profiles", definition, accept)
    output.show(answer, as_json=api.as_json, human=rules_view.profile)


@app.command
def check(
    definition: files.Input, /, *, full: policy.Full = False, api: Connection = DEFAULT
) -> None:
    """Judge a file without writing it: faults, risks, differences, a sample certificate."""
    policy.check(api, "profiles", definition, full=full)


@app.command(name="try")
def try_(
    definition: files.Input,
    /,
    *,
    last: policy.Last = 100,
    like: Annotated[str | None, Parameter(help="Use the requests for that profile.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Try a file on the last requests: what would be refused, what would be different."""
    policy.try_out(api, "profiles", definition, last=last, like=like)


@app.command
def risks(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List what is dangerous about a profile, by itself and where it is offered."""
    policy.risks(api, "profiles", name)


@app.command
def versions(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List every version of a profile."""
    policy.versions(api, "profiles", name)


@app.command
def retire(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Take a profile out of use.  Its versions stay on record for what they issued."""
    with api.open() as server:
        server.delete("profiles", name)
    output.done(name, "retired", as_json=api.as_json)


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
    policy.diff(api, "profiles", name, old, new, file)
