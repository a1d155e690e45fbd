"""``chancery est``: whom the doors for EST let in, by password or by a shared key."""

import secrets
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chancery.cli import credentials, files, output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.credentials import Expires, Id, Label, Profile, Ra, San, State, Subject

app = group("est")
user = group("user")
key = group("key")
user.help = "User names and passwords that enrol."
key.help = "Keys that both ends hold: what serverkeygen makes travels under them."
app.command(user)
app.command(key)

_KEK_OCTETS = 32

SomeRa = Annotated[str | None, Parameter(help="Those of this RA.")]


@user.command
def create(
    *,
    ra: Ra,
    name: Annotated[str | None, Parameter(help="The user name; one is made otherwise.")] = None,
    subject: Subject = None,
    san: San = (),
    profile: Profile = None,
    expires: Expires = "7d",
    uses: Annotated[
        int | None, Parameter(help="How many certificates; any number within the time otherwise.")
    ] = None,
    password_file: Annotated[
        Path | None, Parameter(help="File with the password; else one is made and shown once.")
    ] = None,
    note: str = "",
    label: Label = None,
    api: Connection = DEFAULT,
) -> None:
    """Let a device or server enrol by a user name and password, bound to what is named here."""
    secret = files.secret(password_file, "password") if password_file is not None else None
    with api.open() as server:
        door = credentials.door_of(server, "est", ra, label)
        settings = server.get("doors", "est", door.removeprefix("est/"))["settings"]
        made = credentials.create(
            server,
            door,
            "user",
            reference=name,
            secret=secret,
            binding=credentials.bound(subject, san, profile),
            uses=uses,
            expires_s=None if expires is None else credentials.span(expires),
            recoverable=bool(settings.get("digest")),
            note=note,
        )
    output.show(_shown(made, given=secret is not None), as_json=api.as_json)


@user.command(name="list")
def list_(
    *, ra: SomeRa = None, label: Label = None, state: State = None, api: Connection = DEFAULT
) -> None:
    """List the users of EST doors, and their keys."""
    credentials.listing(api, "est", ra, label, state)


@user.command
def revoke(user_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Let nobody enrol with it any more; what was issued stays valid."""
    credentials.revoke(api, user_id)


@key.command(name="create")
def create_key(
    *,
    ra: Ra,
    name: Annotated[str | None, Parameter(help="Its DecryptKeyIdentifier; else made.")] = None,
    expires: Expires = "7d",
    note: str = "",
    label: Label = None,
    api: Connection = DEFAULT,
) -> None:
    """Make a key under which serverkeygen encrypts for whoever names it; shown once, in hex."""
    with api.open() as server:
        made = credentials.create(
            server,
            credentials.door_of(server, "est", ra, label),
            "secret",
            reference=name,
            secret=secrets.token_hex(_KEK_OCTETS),
            binding={"names": []},  # nobody enrols with it
            uses=None,
            expires_s=None if expires is None else credentials.span(expires),
            note=note,
        )
    output.show(made, as_json=api.as_json)


def _shown(made: Json, *, given: bool) -> Json:
    """The password as such, and only where its owner does not have it yet."""
    shown = {name: value for name, value in made.items() if name != "secret"}
    shown["user"] = made["reference"]
    return shown if given else {**shown, "password": made["secret"]}
