"""``chancery cmp``: shared secrets by which devices enrol through CMP for the first time."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chancery.cli import credentials, files, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.credentials import Expires, Id, Label, Profile, Ra, San, State, Subject

app = group("cmp")
secret = group("secret")
secret.help = "Reference values and shared secrets that enrol."
app.command(secret)

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
    # A bound subject without names means: no names, or one could be smuggled in.
    binding = {
        "subject": subject,
        "names": list(san) if san or subject is not None else None,
        "profile": profile,
    }
    given = files.secret(secret_file, "secret") if secret_file is not None else None
    with api.open() as server:
        made = credentials.create(
            server,
            credentials.door_of(server, "cmp", ra, label),
            "secret",
            reference=reference,
            secret=given,
            binding=output.given(binding),
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
