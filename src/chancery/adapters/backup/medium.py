"""The medium that a server writes to, and the folders that get copies."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from chancery.adapters.backup import archive
from chancery.adapters.backup.archive import Places
from chancery.adapters.backup.device import Device
from chancery.adapters.backup.files import sync_directory
from chancery.domain.errors import NotFound, Unavailable, WrongState
from chancery.ports_backup import MediumFacts, Wanted, Written
from chancery.wire.backup_manifest import SUFFIX

_log = logging.getLogger(__name__)
_ENDINGS: Final = (SUFFIX, ".age")  # without its manifest a backup counts no more: that one first


class FolderMedium:
    """Implements ``ports_backup.BackupMedium``."""

    def __init__(self, folder: Path, copies: Sequence[Path], places: Places) -> None:
        self._device = Device(folder)
        self._copies = tuple(copies)
        self._places = places

    def facts(self) -> MediumFacts | None:
        try:
            found = self._device.standing()
        except NotFound:
            return None
        about = found.about
        return MediumFacts(
            about.id,
            about.recipient,
            about.label,
            about.read_only,
            found.has_pin,
            found.failed,
            found.recovery_left,
        )

    def write(
        self, wanted: Wanted, seal: Callable[[bytes], bytes], go_on: Callable[[], bool]
    ) -> Written:
        name = f"{wanted.log.replace('/', '-').replace(':', '-')}-{wanted.sequence:06d}"
        return archive.write(self._device.backups, name, self._places, wanted, seal, go_on)

    def copy(self, name: str) -> tuple[Sequence[str], Sequence[str]]:
        done: list[str] = []
        failed: list[str] = []
        for folder in self._copies:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                for half in folder.glob(f".{name.rpartition('-')[0]}-*.part"):
                    half.unlink(missing_ok=True)  # what a crash left
                for ending in reversed(_ENDINGS):
                    _copy(self._device.backups / f"{name}{ending}", folder / f"{name}{ending}")
                done.append(str(folder))
            except OSError as error:
                _log.warning("backup %s was not copied to %s: %s", name, folder, error.strerror)
                failed.append(str(folder))
        return done, failed

    def remove(self, name: str) -> None:
        for path in self._everywhere(name):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise Unavailable(
                    f"{path}: {error.strerror}", field="device", rule="backup.medium"
                ) from error

    def _everywhere(self, name: str) -> Iterator[Path]:
        for ending in _ENDINGS:
            for folder in (self._device.backups, *self._copies):
                yield folder / f"{name}{ending}"


class NoMedium:
    """Where the settings name no medium: says how to change that."""

    def facts(self) -> MediumFacts | None:
        raise _none()

    def write(self, *_: object, **__: object) -> NoReturn:
        raise _none()

    def copy(self, *_: object) -> NoReturn:
        raise _none()

    def remove(self, *_: object) -> NoReturn:
        raise _none()


def _none() -> WrongState:
    return WrongState(
        "this instance has no place for backups",
        field="backup.medium",
        rule="backup.not-configured",
        remedy='write [backup] medium = "/media/usb" into chancery.toml and start it again',
    )


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as read, temporary.open("wb") as write:
            os.fchmod(write.fileno(), 0o600)
            shutil.copyfileobj(read, write, 1 << 20)
            write.flush()
            os.fsync(write.fileno())
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(target.parent)
