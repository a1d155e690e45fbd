"""``chancery ra``: who may ask for what, and who decides."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output, policy, ra_enrol
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("ra")
app.command(ra_enrol.enrol)
app.command(ra_enrol.receipt)

_COLUMNS: Final = (
    *("name", "profiles", "authorities", "approval_group", "approvals", "anonymous", "disabled"),
)
Name = Annotated[str, Parameter(help="Name of the registration authority.")]
Version = Annotated[int | None, Parameter(help="An older version.")]


@app.command(name="list")
def list_(
    *,
    text: Annotated[str | None, Parameter(help="In name or description.")] = None,
    profile: Annotated[str | None, Parameter(help="Which offer this profile.")] = None,
    authority: Annotated[str | None, Parameter(help="Which issue from this CA.")] = None,
    public: Annotated[
        bool | None, Parameter(negative="--closed", help="Open without an account, or not.")
    ] = None,
    disabled: Annotated[
        bool | None, Parameter(negative="--enabled", help="Which take nothing in, or which do.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """List the registration authorities."""
    where = {
        "text": text,
        "profile": profile,
        "authority": authority,
        "public": public,
        "disabled": disabled,
    }
    with api.open() as server:
        found = server.items("ras", limit=None, **where)
        output.listing(found, _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, version: Version = None, api: Connection = DEFAULT) -> None:
    """Show a registration authority."""
    if version is not None:
        found = policy.version(api, "ras", name, version)
    else:
        with api.open() as server:
            found = server.get("ras", name)
    output.show(found, as_json=api.as_json)


@app.command
def put(
    definition: files.Input, /, *, accept: policy.Accept = (), api: Connection = DEFAULT
) -> None:
    """Create a registration authority, or change it, from a JSON or TOML file."""
    answer = policy.put(api, "ras", definition, accept)
    output.show(answer, as_json=api.as_json)


@app.command
def check(definition: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Judge a file without writing it: faults, risks, differences."""
    policy.check(api, "ras", definition)


@app.command(name="try")
def try_(definition: files.Input, /, *, last: policy.Last = 100, api: Connection = DEFAULT) -> None:
    """Hold a file against the last requests: which it would turn away."""
    policy.try_out(api, "ras", definition, last=last)


@app.command
def risks(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List what is dangerous about it and what it offers."""
    policy.risks(api, "ras", name)


@app.command
def versions(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List every version of a registration authority."""
    policy.versions(api, "ras", name)


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
    policy.diff(api, "ras", name, old, new, file)


@app.command
def disable(name: Name, /, *, accept: policy.Accept = (), api: Connection = DEFAULT) -> None:
    """Take nothing more in.  What waits may still be decided."""
    _switch(api, name, accept, disabled=True)


@app.command
def enable(name: Name, /, *, accept: policy.Accept = (), api: Connection = DEFAULT) -> None:
    """Take requests in again."""
    _switch(api, name, accept, disabled=False)


def _switch(api: Connection, name: str, accept: tuple[str, ...], *, disabled: bool) -> None:
    with api.open() as server:
        found = server.get("ras", name)
        body = dict(found) | {"disabled": disabled, "accept_risks": policy.reasons(accept)}
        answer = server.put("ras", name, body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete a registration authority that has nothing undecided."""
    with api.open() as server:
        server.delete("ras", name)
    output.done(name, "deleted", as_json=api.as_json)
