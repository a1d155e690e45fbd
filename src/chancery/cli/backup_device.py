"""``chancery backup device``: the medium with its key behind a PIN."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.backup_opening import PinFile, VerifierFiles, verifier
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.instance import AsJson
from chancery.domain.errors import BadRequest

if TYPE_CHECKING:
    from chancery.adapters.backup.device import Device
    from chancery.adapters.backup.device_state import About

app = group("device")
app.help = "The medium: its key, its PIN, what it trusts."

Folder = Annotated[Path, Parameter(help="Where the medium is mounted.")]
NewPinFile = Annotated[
    Path | None, Parameter(help="File with the new PIN; else you are asked for it.")
]


@app.command
def init(
    folder: Folder,
    /,
    *,
    label: Annotated[str, Parameter(help="What is written on it.")],
    pin_file: NewPinFile = None,
    vkey: VerifierFiles = (),
    min_length: Annotated[int, Parameter(help="Characters a PIN must have.")] = 8,
    max_tries: Annotated[int, Parameter(help="Wrong PINs that wipe the PIN.")] = 5,
    recovery: Annotated[int, Parameter(help="One-time recovery PINs to make.")] = 2,
    recovery_file: Annotated[
        Path | None, Parameter(help="File for the recovery PINs, else they are shown: once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup device of an empty medium; `backup device register` tells the server."""
    files.check_free(recovery_file, force=False)
    pin = files.secret(pin_file, "pin", confirm=True)
    about, told = _device(folder).make(
        pin,
        label=label,
        least=min_length,
        tries=max_tries,
        recovery=recovery,
        verifiers=tuple(str(verifier(path)) for path in vkey),
    )
    shown: dict[str, Any] = {"device": about.id, "label": label, "recipient": about.recipient}
    if recovery_file is not None:
        lines = "".join(f"{one}\n" for one in told).encode()
        files.write(recovery_file, lines, force=False, secret=True)
        shown["recovery_file"] = str(recovery_file)
    else:
        shown["recovery_pins"] = told
    output.show(shown, as_json=as_json)


@app.command
def show(
    folder: Folder,
    /,
    *,
    log: Annotated[bool, Parameter(help="What was done with it, too.")] = False,
    identity_out: Annotated[
        Path | None,
        Parameter(help="Write its age identity there, for `age -d -i`; asks for the PIN."),
    ] = None,
    pin_file: PinFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a device says of itself."""
    device = _device(folder)
    found = device.standing()
    shown = _told(found.about) | {
        "has_pin": found.has_pin,
        "failed": found.failed,
        "recovery_left": found.recovery_left,
    }
    if identity_out is not None:
        files.check_free(identity_out, force=False)
        opened = device.open(files.secret(pin_file, "pin"))
        files.write(identity_out, opened.identity.encode() + b"\n", force=False, secret=True)
        shown["identity"] = str(identity_out)
    if log:
        shown["log"] = device.log()
    output.show(shown, as_json=as_json)


@app.command
def pin(
    folder: Folder,
    /,
    *,
    pin_file: PinFile = None,
    new_pin_file: NewPinFile = None,
    read_only: Annotated[bool, Parameter(help="Take no more backups; the PIN stays.")] = False,
    writable: Annotated[bool, Parameter(help="Take backups again; the PIN stays.")] = False,
    trust: Annotated[
        tuple[Path, ...], Parameter(help="audit.vkey to trust as well; the PIN stays.")
    ] = (),
    as_json: AsJson = False,
) -> None:
    """Change the PIN of a device, or with it what the device allows and trusts."""
    if read_only and writable:
        raise BadRequest("it cannot be both", field="--read-only")
    keeps = read_only or writable or bool(trust)
    device = _device(folder)
    device.standing()
    old = files.secret(pin_file, "pin")
    new = files.secret(new_pin_file, "new-pin", confirm=True) if not keeps or new_pin_file else None
    about = device.change(
        old,
        new_pin=new,
        read_only=read_only if read_only or writable else None,
        trust=tuple(str(verifier(path)) for path in trust),
    )
    output.show(_told(about), as_json=as_json)


@app.command
def recover(
    folder: Folder,
    /,
    *,
    recovery_file: Annotated[
        Path | None, Parameter(help="File with one recovery PIN; else you are asked for it.")
    ] = None,
    new_pin_file: NewPinFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a device a new PIN by one of its recovery PINs, which is used up."""
    device = _device(folder)
    device.standing()
    recovery = files.secret(recovery_file, "recovery")
    about = device.recover(recovery, files.secret(new_pin_file, "new-pin", confirm=True))
    left = device.standing().recovery_left
    output.show({"device": about.id, "recovery_left": left}, as_json=as_json)


@app.command
def register(folder: Folder, /, *, api: Connection = DEFAULT) -> None:
    """Propose a device to the server; another operator approves it (`backup key approve`)."""
    about = _device(folder).standing().about
    body = {
        "kind": "device",
        "public": about.recipient,
        "device": about.id,
        "label": about.label,
    }
    with api.open() as server:
        answer = server.post("backups", "keys", body=body)
    output.show(answer, as_json=api.as_json)


def _told(about: "About") -> dict[str, Any]:
    return asdict(about) | {"verifiers": list(about.verifiers)}


def _device(folder: Path) -> "Device":
    from chancery.adapters.backup.device import Device as Made  # noqa: PLC0415 - loads OpenSSL

    return Made(folder)
