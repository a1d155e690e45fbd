"""``chancery scep``: one-time passwords with which devices enrol by SCEP."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chancery.cli import credentials, files, output
from chancery.cli.application import group
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.credentials import Id, Label, Profile, Ra, San, State, Subject
from chancery.wire import otp_csv

app = group("scep")
otp = group("otp")
otp.help = "Challenge passwords, each for one device and one request."
app.command(otp)

_COLUMNS = ("id", "otp", "subject", "names", "profile", "expires_at")

Expires = Annotated[str, Parameter(help="How long it may be used: 30m, 24h, 7d; never: no end.")]


@otp.command
def create(
    *,
    ra: Ra,
    subject: Subject = None,
    subject_pattern: Annotated[
        str | None, Parameter(help="A regular expression for the whole subject instead.")
    ] = None,
    san: San = (),
    profile: Profile = None,
    expires: Expires = "7d",
    note: str = "",
    label: Label = None,
    api: Connection = DEFAULT,
) -> None:
    """Make a one-time password for one device; its request must say exactly what is named here.

    Without --san the request may name nothing but its subject.
    """
    wanted: Json = {
        "subject": subject,
        "subject_pattern": subject_pattern,
        "names": list(san),
        "profile": profile,
        "expires_s": credentials.span(expires),
        "note": note,
    }
    with api.open() as server:
        door = credentials.door_of(server, "scep", ra, label)
        made = _make(server, door, [wanted])
    output.show(made[0], as_json=api.as_json)


@otp.command(name="import")
def import_(
    file: files.Input, /, *, ra: Ra, label: Label = None, api: Connection = DEFAULT
) -> None:
    """Make many from a CSV file, all or none, and print each with its password.

    Its heading names some of subject, subject_pattern, san, profile, expires and note.
    """
    lines = otp_csv.decode(files.read(file, otp_csv.MAX_OCTETS))
    wanted: list[Json] = [
        {
            "subject": one.subject,
            "subject_pattern": one.subject_pattern,
            "names": list(one.names),
            "profile": one.profile,
            "expires_s": one.expires_s,
            "note": one.note,
        }
        for one in lines
    ]
    with api.open() as server:
        door = credentials.door_of(server, "scep", ra, label)
        made = _make(server, door, wanted) if wanted else []
    output.listing(made, _COLUMNS, as_json=api.as_json)


@otp.command(name="list")
def list_(
    *,
    ra: Annotated[str | None, Parameter(help="Those of this RA.")] = None,
    label: Label = None,
    state: State = None,
    api: Connection = DEFAULT,
) -> None:
    """List one-time passwords; the passwords themselves are on record nowhere."""
    credentials.listing(api, "scep", ra, label, state)


@otp.command
def revoke(otp_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Let nobody enrol with it; what was issued stays valid."""
    credentials.revoke(api, otp_id)


@app.command
def share(
    *,
    ra: Ra,
    profile: Profile = None,
    secret_file: Annotated[
        Path | None, Parameter(help="File with the challenge; else one is made and shown once.")
    ] = None,
    expires: Expires = "never",
    note: str = "",
    label: Label = None,
    api: Connection = DEFAULT,
) -> None:
    """Make a challenge that anybody may use: whoever learns it enrols as anybody.

    The door must say shared_challenge=true.
    """
    secret = files.secret(secret_file, "challenge") if secret_file is not None else None
    body = {
        "profile": profile,
        "secret": secret,
        "expires_s": credentials.span(expires),
        "note": note,
    }
    with api.open() as server:
        door = credentials.door_of(server, "scep", ra, label)
        made = server.post("scep", door.removeprefix("scep/"), "shared-challenges", body=body)
    output.show(made, as_json=api.as_json)


def _make(server: Client, door: str, wanted: list[Json]) -> list[Json]:
    answer = server.post(
        "scep", door.removeprefix("scep/"), "one-time-passwords", body={"passwords": wanted}
    )
    return list(answer["passwords"])
