"""What opens a backup: device and PIN, shares, verifier keys; from files or the terminal."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from chancery.cli import files
from chancery.domain.errors import BadRequest

if TYPE_CHECKING:
    from chancery.app.scratch import Keys
    from chancery.wire.note import VerifierKey

_MAX_SHARE: Final = 4096  # octets of a share on paper
_MAX_SHARES: Final = 16

DeviceFolder = Annotated[Path, Parameter(help="Where the backup device is mounted.")]
PinFile = Annotated[Path | None, Parameter(help="File with its PIN; else you are asked.")]
ShareFiles = Annotated[
    tuple[Path, ...],
    Parameter(help="File with a custodian's share; repeatable.  Else they are asked one by one."),
]
VaultShareFiles = Annotated[
    tuple[Path, ...],
    Parameter(help="The same for the vault, where custodians open it; repeatable."),
]
VerifierFiles = Annotated[
    tuple[Path, ...],
    Parameter(name="--vkey", help="audit.vkey whose backups to trust, beside those it knows."),
]


def opening(
    device: Path,
    pin_file: Path | None,
    share_files: tuple[Path, ...],
    verifiers: tuple[Path, ...],
    *,
    ask: bool,
    vault: tuple[Path, ...] = (),
) -> "Keys":
    """Read what was brought; with *ask*, ask on the terminal for what was not."""
    from chancery.app.scratch import Keys  # noqa: PLC0415 - loads the server

    shares = [_share(path) for path in share_files]
    if ask and not shares:
        shares = _asked()
    pin = files.secret(pin_file, "pin") if ask or pin_file is not None else None
    trusted = tuple(map(verifier, verifiers))
    return Keys(device, pin, tuple(shares), trusted, tuple(map(_share, vault)))


def verifier(path: Path) -> "VerifierKey":
    """The key in an ``audit.vkey``."""
    from chancery.wire.note import VerifierKey as Key  # noqa: PLC0415

    try:
        return Key.parse(files.read(path, _MAX_SHARE).decode())
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is no verifier key", field="--vkey") from error


def _share(path: Path) -> str:
    try:
        return files.read(path, _MAX_SHARE).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not text", field="--share-file") from error


def _asked() -> list[str]:
    """Shares typed by the custodians, until there are as many as the first one says."""
    from chancery.wire import shares  # noqa: PLC0415

    if not sys.stdin.isatty():
        raise BadRequest(
            "no share is given", field="shares", remedy="name files: --share-file FILE, repeatable"
        )
    found = [files.secret(None, "share 1")]
    needed = shares.read(found[0]).threshold
    while len(found) < min(needed, _MAX_SHARES):
        found.append(files.secret(None, f"share {len(found) + 1} of {needed}"))
    return found


if TYPE_CHECKING:
    from chancery.wire.note import VerifierKey
