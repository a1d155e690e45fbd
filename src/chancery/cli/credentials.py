"""What the commands for SCEP, EST, CMP and ACME credentials have in common."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.client import Client, Json
from chancery.cli.connection import Connection
from chancery.domain.errors import BadRequest

Ra = Annotated[str, Parameter(help="Whose door it is for.")]
Label = Annotated[
    str | None, Parameter(help="Label of the door, where the RA has several of the protocol.")
]
Subject = Annotated[
    str | None, Parameter(help="The exact subject: CN=device-1,O=Example; any without it.")
]
San = Annotated[
    tuple[str, ...],
    Parameter(help="A name, dns:host.example.org or ip:192.0.2.1; repeatable: the exact set."),
]
Profile = Annotated[str | None, Parameter(help="The profile; that of the door otherwise.")]
Expires = Annotated[
    str | None, Parameter(help="How long it may be used: 30m, 24h, 7d; never: no end.")
]
State = Annotated[
    Literal["open", "spent", "locked", "revoked"] | None, Parameter(help="Those in this state.")
]
Id = Annotated[str, Parameter(help="Its id, as `create` and `list` print it.")]

_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_COLUMNS: Final = ("id", "reference", "state", "subject", "uses_left", "created_by", "expires_at")


def span(text: str) -> int | None:
    """``24h`` in seconds; None for ``never``."""
    if text == "never":
        return None
    match = _SPAN.fullmatch(text)
    if match is None:
        raise BadRequest(
            f"{text[:40]!r} is no duration",
            field="--expires",
            rule="duration.syntax",
            remedy="write it like 30m, 24h or 7d; or never",
        )
    return int(match[1]) * _SECONDS[match[2]]


def door_of(server: Client, protocol: str, ra: str, label: str | None) -> str:
    """Name of the door that an RA has for a protocol."""
    found = [
        one["name"]
        for one in server.items("doors", limit=None, ra=ra)
        if one["protocol"] == protocol and label in (None, one["label"])
    ]
    if len(found) != 1:
        raise BadRequest(
            f"{ra} has {len(found)} doors for {protocol}",
            field="--label" if found else "--ra",
            rule="door.unambiguous",
            remedy="name one with --label: " + ", ".join(found)
            if found
            else f"open one: chancery door set {protocol} LABEL --ra {ra} --profile NAME",
        )
    return str(found[0])


def bound(subject: str | None, san: tuple[str, ...], profile: str | None) -> Json:
    """The binding that options say.

    A bound subject without names means: no names, or one could be smuggled in.
    """
    names = list(san) if san or subject is not None else None
    return output.given({"subject": subject, "names": names, "profile": profile})


def create(server: Client, door: str, kind: str, **wanted: Any) -> Json:
    """Make one; *wanted* as ``POST /credentials`` takes it."""
    made: Json = server.post("credentials", body={"door": door, "kind": kind, **wanted})
    return made


def listing(
    api: Connection, protocol: str, ra: str | None, label: str | None, state: str | None
) -> None:
    """Print the credentials of a protocol's doors."""
    with api.open() as server:
        doors = [
            one["name"]
            for one in server.items("doors", limit=None, ra=ra)
            if one["protocol"] == protocol and label in (None, one["label"])
        ]
        found = [
            dict(one)
            for door in doors
            for one in server.items("credentials", limit=None, door=door, state=state)
        ]
    output.listing(_flat(found, as_json=api.as_json), _COLUMNS, as_json=api.as_json)


def revoke(api: Connection, credential_id: str) -> None:
    """Let nobody enrol with it any more."""
    with api.open() as server:
        output.show(server.post("credentials", credential_id, "revoke"), as_json=api.as_json)


def _flat(found: Iterable[Mapping[str, Any]], *, as_json: bool) -> list[dict[str, Any]]:
    if as_json:
        return [dict(one) for one in found]
    return [dict(one) | {"subject": one["binding"]["subject"]} for one in found]
