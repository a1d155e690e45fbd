"""``chancery door``: protocols by which devices and servers enrol by themselves."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.domain.errors import BadRequest

app = group("door")

Protocol = Annotated[Literal["scep", "est", "cmp", "acme"], Parameter(help="The protocol.")]
Label = Annotated[str, Parameter(help="The label in its address.")]
_COLUMNS: Final = ("name", "url", "ra", "profile", "approvals", "enabled", "description")
_SEEN: Final = ("at", "operation", "outcome", "who", "origin", "detail")
_RA_OWN: Final = -1
_FIXED: Final = ("name", "protocol", "label", "url")


@app.command(name="list")
def list_(
    *,
    ra: Annotated[str | None, Parameter(help="Those of this RA.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """List the doors."""
    with api.open() as server:
        output.listing(server.items("doors", limit=None, ra=ra), _COLUMNS, as_json=api.as_json)


@app.command
def show(protocol: Protocol, label: Label, /, *, api: Connection = DEFAULT) -> None:
    """Show a door and its settings."""
    with api.open() as server:
        output.show(server.get("doors", protocol, label), as_json=api.as_json)


@app.command(name="set")
def set_(
    protocol: Protocol,
    label: Label,
    /,
    *,
    ra: Annotated[str | None, Parameter(help="Whose door it is; needed for a new one.")] = None,
    profile: Annotated[str | None, Parameter(help="What is issued by default.")] = None,
    offer: Annotated[tuple[str, ...] | None, Parameter(help="Another profile; repeatable.")] = None,
    authority: Annotated[str | None, Parameter(help="The CA; the RA's first otherwise.")] = None,
    approvals: Annotated[
        int | None, Parameter(help="How many approve; 0: issued at once; -1: as the RA says.")
    ] = None,
    renewal_approvals: Annotated[
        int | None, Parameter(help="How many approve a renewal; -1: as a first request.")
    ] = None,
    renew_in_window: Annotated[
        bool | None, Parameter(negative="--renew-any-time", help="Refuse early renewals.")
    ] = None,
    enabled: Annotated[bool | None, Parameter(negative="--disabled", help="Open or shut.")] = None,
    description: str | None = None,
    setting: Annotated[
        tuple[str, ...], Parameter(help="NAME=JSON of the protocol's own; repeatable.")
    ] = (),
    api: Connection = DEFAULT,
) -> None:
    """Open a door, or change what is named of one."""
    changes: dict[str, Any] = {
        "ra": ra,
        "profile": profile,
        "profiles": list(offer) if offer is not None else None,
        "authority": authority,
        "renew_in_window": renew_in_window,
        "enabled": enabled,
        "description": description,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    for name, number in (("approvals", approvals), ("renewal_approvals", renewal_approvals)):
        if number is not None:
            changes[name] = None if number == _RA_OWN else number
    with api.open() as server:
        found = [one for one in server.items("doors", limit=None) if _is(one, protocol, label)]
        before = dict(found[0]) if found else {"settings": {}}
        body = {key: before[key] for key in before if key not in _FIXED}
        body |= changes
        body["settings"] = dict(body["settings"]) | _settings(setting)
        for needed in ("ra", "profile"):
            if needed not in body:
                raise BadRequest(
                    f"a new door needs --{needed}", field=f"--{needed}", rule="door.complete"
                )
        output.show(server.put("doors", protocol, label, body=body), as_json=api.as_json)


@app.command
def delete(protocol: Protocol, label: Label, /, *, api: Connection = DEFAULT) -> None:
    """Close a door for good: its credentials go with it, what was issued stays."""
    with api.open() as server:
        server.delete("doors", protocol, label)
    output.done(f"{protocol}/{label}", "deleted", as_json=api.as_json)


@app.command
def traffic(protocol: Protocol, label: Label, /, *, api: Connection = DEFAULT) -> None:
    """List the newest messages and what became of each."""
    with api.open() as server:
        found = server.items("doors", protocol, label, "traffic", limit=None)
        output.listing(found, _SEEN, as_json=api.as_json)


def _is(one: Mapping[str, Any], protocol: str, label: str) -> bool:
    return bool(one["name"] == f"{protocol}/{label}")


def _settings(given: tuple[str, ...]) -> dict[str, object]:
    """``NAME=JSON``; text that is no JSON stands for itself."""
    found: dict[str, object] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise BadRequest(
                f"{one[:80]!r} is not NAME=VALUE",
                field="--setting",
                rule="door.setting",
                remedy="write it like legacy=true",
            )
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
