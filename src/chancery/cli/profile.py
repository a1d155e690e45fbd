"""``chancery profile``: what a certificate may say."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import definitions, files, output, rules_view
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.domain.errors import BadRequest

app = group("profile")

_COLUMNS: Final = ("name", "version", "description", "validity_s", "approvals", "dn_profile")
_VERSIONS: Final = ("version", "sha256", "created_at", "created_by")
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
def put(definition: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Create a profile, or a new version of it, from a JSON or TOML file.

    The file is what `profile show NAME --json` prints under "profile".  Rules
    and linters check it before it counts; an unchanged file changes nothing.
    """
    wanted = definitions.read(definition)
    with api.open() as server:
        answer = server.put("profiles", wanted["name"], body=wanted)
    output.show(answer, as_json=api.as_json, human=rules_view.profile)


@app.command
def versions(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List every version of a profile."""
    with api.open() as server:
        items = server.items("profiles", name, "versions", limit=None)
        output.listing(items, _VERSIONS, as_json=api.as_json)


@app.command
def retire(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Take a profile out of use.  Its versions stay on record for what they issued."""
    with api.open() as server:
        server.delete("profiles", name)
    output.done(name, "retired", as_json=api.as_json)


@app.command
def diff(
    name: Name,
    old: Annotated[int | None, Parameter(help="Older version; else the last but one.")] = None,
    new: Annotated[int | None, Parameter(help="Newer version; else the latest.")] = None,
    /,
    *,
    file: Annotated[
        files.Input | None, Parameter(help="Compare the latest version with this file instead.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Show what changed between two versions, or what a file would change."""
    with api.open() as server:
        if file is not None:
            before = definitions.document(server.get("profiles", name))
            labels, after = (f"{name} latest", str(file)), definitions.profile(file)
        else:
            known = [
                one["version"] for one in server.items("profiles", name, "versions", limit=None)
            ]
            first, second = _pair(sorted(known), old, new)
            labels = (f"{name} version {first}", f"{name} version {second}")
            before, after = (
                definitions.document(server.get("profiles", name, version=one))
                for one in (first, second)
            )
    lines = list(definitions.difference(before, after, labels))
    if api.as_json:
        output.print_json({"from": labels[0], "to": labels[1], "diff": lines})
    else:
        for line in lines:
            print(line)


def _pair(known: list[int], old: int | None, new: int | None) -> tuple[int, int]:
    if old is None and len(known) < 2:
        raise BadRequest("there is only one version", field="OLD", remedy="compare with --file")
    first = old if old is not None else known[-2]
    return first, new if new is not None else known[-1]
