"""``chancery status``: what others need to know of certificates without asking."""

import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.failures import OK, PARTIAL, UNVERIFIED, report
from chancery.cli.instance import AsJson, Config, local_database
from chancery.domain.errors import BadRequest, NotFound
from chancery.wire.note import VerifierKey
from chancery.wire.status_snapshot import open_snapshot, revoked

app = group("status")

_MOST: Final = 512 * 1024 * 1024  # octets of a snapshot


@app.command
def feed(
    to: Annotated[Path, Parameter(help="The file to write, or to replace.")],
    /,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Write the feed of a validation authority that cannot reach the database.

    One SQLite file with serials and their status; send it over as often as you
    like and put it in place by renaming: it is seen within a second.
    """
    from chancery.adapters.storage.feed import write_feed  # noqa: PLC0415 - loads the database
    from chancery.settings import load  # noqa: PLC0415

    with local_database("config"):
        count = write_feed(load(config).database.url, to)
    output.show({"file": str(to.resolve()), "certificates": count}, as_json=as_json)


@app.command
def export(
    *,
    config: Config,
    to: files.Output = None,
    force: files.Force = False,
    days: Annotated[PositiveInt, Parameter(help="Until when a newer one is to be had.")] = 7,
) -> None:
    """Write a signed snapshot of who is revoked, about 22 bits each, while the instance runs.

    The audit log's key vouches for it; `chancery status check` reads it anywhere.
    """
    from chancery.app.snapshot import write  # noqa: PLC0415 - loads the server

    files.check_free(to, force=force)
    with local_database("config"):
        files.deliver(write(config, days), to, force=force)


@app.command
def check(
    snapshot: Annotated[Path, Parameter(help="The snapshot.")],
    serial: Annotated[str, Parameter(help="Serial number in hex: any case, 0x and colons.")],
    /,
    *,
    key: Annotated[Path, Parameter(help="The public key that vouches for it: audit.vkey.")],
    ca: Annotated[str, Parameter(name="--ca", help="Name of the CA.")],
    as_json: AsJson = False,
) -> int:
    """Say what a snapshot says of a certificate; needs no server.

    Exit code 0: not revoked then; 3: revoked or held; 8: the snapshot does not
    verify, or its time is over.
    """
    octets, vouching = files.read(snapshot, _MOST), VerifierKey.parse(key.read_text())
    try:
        found = open_snapshot(octets, vouching)
    except BadRequest as error:
        report(error, as_json=as_json)
        return UNVERIFIED
    part = next((one for one in found.parts if one.authority == ca), None)
    if part is None:
        raise NotFound(f"the snapshot says nothing of {ca}", field="ca", rule="snapshot.ca")
    said = revoked(part, serial.replace(":", "").lower().removeprefix("0x").lstrip("0"))
    late = found.valid_until < time.time()
    output.show(
        {
            "ca": ca,
            "revoked": said,
            "taken_at": found.taken_at,
            "valid_until": found.valid_until,
            "expired": late,
        },
        as_json=as_json,
    )
    return UNVERIFIED if late else PARTIAL if said else OK
