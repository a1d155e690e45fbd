"""``chancery cmp``: who enrols by CMP, whom its doors trust, and a client for any server."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import cmp_client, credentials, files, output
from chancery.cli.application import group
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.credentials import Expires, Id, Label, Profile, Ra, San, State, Subject
from chancery.domain.errors import NotFound
from chancery.wire import pem, pkcs7

app = group("cmp")
secret = group("secret")
secret.help = "Reference values and shared secrets that enrol."
app.command(secret)
app.command(cmp_client.request)
app.command(cmp_client.revoke_certificate)

_LARGEST: Final = 64 * 1024
_FIXED: Final = ("name", "protocol", "label", "url")

SomeRa = Annotated[str | None, Parameter(help="Those of this RA.")]


@secret.command
def create(
    *,
    ra: Ra,
    reference: Annotated[
        str | None, Parameter(help="The reference value; one is made otherwise.")
    ] = None,
    subject: Subject = None,
    san: San = (),
    profile: Profile = None,
    expires: Expires = "7d",
    uses: Annotated[int, Parameter(help="How many certificates.")] = 1,
    secret_file: Annotated[
        Path | None, Parameter(help="File with the secret; else one is made and shown once.")
    ] = None,
    note: str = "",
    label: Label = None,
    api: Connection = DEFAULT,
) -> None:
    """Let a device enrol by a shared secret, bound to what is named here."""
    given = files.secret(secret_file, "secret") if secret_file is not None else None
    with api.open() as server:
        made = credentials.create(
            server,
            credentials.door_of(server, "cmp", ra, label),
            "secret",
            reference=reference,
            secret=given,
            binding=credentials.bound(subject, san, profile),
            uses=uses,
            expires_s=None if expires is None else credentials.span(expires),
            note=note,
        )
    if given is not None:  # its owner has it
        made = {name: value for name, value in made.items() if name != "secret"}
    output.show(made, as_json=api.as_json)


@secret.command(name="list")
def list_(
    *, ra: SomeRa = None, label: Label = None, state: State = None, api: Connection = DEFAULT
) -> None:
    """List the secrets of CMP doors."""
    credentials.listing(api, "cmp", ra, label, state)


@secret.command
def revoke(secret_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Let nobody enrol with it any more; what was issued stays valid."""
    credentials.revoke(api, secret_id)


@app.command
def trust(
    certificate: files.Input, /, *, ra: Ra, label: Label = None, api: Connection = DEFAULT
) -> None:
    """Take the word of a registration authority, by its certificate, at a CMP door."""
    text = pem.encode("CERTIFICATE", pkcs7.certificates(files.read(certificate, _LARGEST))[0])
    with api.open() as server:
        door = credentials.door_of(server, "cmp", ra, label)
        found = _door(server, door)
        trusted = [*found["settings"].get("trusted_ras", []), text]
        output.show(_put(server, door, found, trusted), as_json=api.as_json)


@app.command
def distrust(
    certificate: files.Input, /, *, ra: Ra, label: Label = None, api: Connection = DEFAULT
) -> None:
    """Take its word no more."""
    gone = pkcs7.certificates(files.read(certificate, _LARGEST))[0]
    with api.open() as server:
        door = credentials.door_of(server, "cmp", ra, label)
        found = _door(server, door)
        before = found["settings"].get("trusted_ras", [])
        kept = [text for text in before if pkcs7.certificates(text.encode())[0] != gone]
        if len(kept) == len(before):
            raise NotFound(f"{door} does not trust it", field=str(certificate))
        output.show(_put(server, door, found, kept), as_json=api.as_json)


def _door(server: Client, door: str) -> dict[str, Any]:
    return dict(server.get("doors", "cmp", door.removeprefix("cmp/")))


def _put(server: Client, door: str, found: dict[str, Any], trusted: list[str]) -> Json:
    body = {name: value for name, value in found.items() if name not in _FIXED}
    body["settings"] = dict(found["settings"]) | {"trusted_ras": trusted}
    changed: Json = server.put("doors", "cmp", door.removeprefix("cmp/"), body=body)
    return changed
