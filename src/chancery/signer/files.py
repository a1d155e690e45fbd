"""Secret files: read only when private, replaced whole, wiped from memory after use."""

import fcntl
import os
import secrets
import stat
from pathlib import Path

from chancery.domain.errors import Unavailable


def wipe(buffer: bytearray) -> None:
    """Overwrite with zeros.  Copies that Python or OpenSSL made elsewhere are out of reach."""
    buffer[:] = bytes(len(buffer))


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & 0o077:
        raise Unavailable(
            f"{path} must belong to this account and be closed to everybody else"
            f" (mode {stat.S_IMODE(status.st_mode):04o})",
            field=path.name,
            rule="file.private",
            remedy=f"chown it to the signer's account and chmod go= {path}",
        )


def check_directory(path: Path) -> None:
    """Refuse a directory that is missing, or that group or world may enter."""
    try:
        status = path.stat()
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}", field="vault", rule="file.missing") from None
    if not stat.S_ISDIR(status.st_mode):
        raise Unavailable(f"{path} is not a directory", field="vault", rule="file.missing")
    _refuse_shared(path, status)


def read_private(path: Path, *, limit: int) -> bytearray:
    """Read at most *limit* octets of a file that only its owner may open.

    Raises Unavailable if it is missing, longer, shared, or no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise Unavailable(
            f"{path}: {error.strerror}", field=path.name, rule="file.missing"
        ) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unavailable(f"{path} is not a file", field=path.name, rule="file.regular")
        _refuse_shared(path, status)
        if status.st_size > limit:
            raise Unavailable(
                f"{path} is longer than {limit} octets", field=path.name, rule="file.size"
            )
        buffer = bytearray(status.st_size)
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            count = file.readinto(buffer) or 0
        del buffer[count:]
        return buffer
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes, *, fresh: bool = False) -> None:
    """Put *data* at *path* durably and at once, mode 0600; FileExistsError if *fresh* and taken.

    A crash leaves the old file or the new one, never a part.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            os.link(temporary, path)  # unlike rename, link never replaces
            temporary.unlink()
        else:
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def erase(path: Path) -> bool:
    """Remove a file, overwriting it first where the file system writes in place; False: none."""
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return False
    sync_directory(path.parent)
    return True


def sweep(directory: Path) -> None:
    """Remove what a crash inside ``replace`` left behind."""
    for path in directory.glob(".*.????????????????"):
        path.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make names in *directory* durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hold(path: Path) -> int | None:
    """Lock *path* for as long as this process lives; None if another process holds it."""
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held
