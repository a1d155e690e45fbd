"""What can be wrong with a device, in words."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from chancery.domain.errors import BadRequest, LockedOut, Unavailable


@contextlib.contextmanager
def medium(folder: Path) -> Iterator[None]:
    """What the operating system says of a medium, in our words."""
    try:
        yield
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{error.filename or path}: {error.strerror}",
        field="device",
        rule="device.medium",
        remedy="it must be mounted and writable: the try counter stands on it",
    )


def altered(why: str) -> BadRequest:
    return BadRequest(
        f"device.json was altered: {why}",
        field="device",
        rule="device.altered",
        remedy="use another copy of it, or another medium",
    )


def wiped(left: int) -> LockedOut:
    return LockedOut(
        "the PIN of this device was wiped after too many wrong ones",
        field="pin",
        rule="device.wiped",
        remedy=f"`chancery backup device recover` with one of the {left} recovery PINs left"
        if left
        else "nothing opens it any more: take another copy on another device",
    )
