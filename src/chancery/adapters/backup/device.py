"""The device: a removable medium whose key lies on it, behind a PIN.

``device.json`` holds an age identity, wrapped under a random medium key, and
that key once under the PIN and once under each recovery PIN.  Everything that
matters of the device (its recipient, whose manifests it trusts, whether it is
read-only) is authenticated with the identity.  ``device.log`` says what was
done with it, each line bound to the one before.

The try counter stands in the file, and is raised before a PIN is tried.  It
stops people at this medium; whoever copies the file can reset it in the copy,
and then only Argon2id and the length of the PIN stand in the way.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from chancery.adapters.backup import device_log, pins
from chancery.adapters.backup.device_errors import altered, medium, unreadable, wiped
from chancery.adapters.backup.device_state import (
    FORMAT,
    About,
    Opened,
    Standing,
    Stored,
    identity_in,
    sealed,
    slot_context,
)
from chancery.adapters.backup.files import write_whole
from chancery.adapters.backup.pins import Costs, Slot
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    CAError,
    NotAuthenticated,
    NotFound,
)
from chancery.wire import documents

FILE: Final = "device.json"
LOG: Final = "device.log"
BACKUPS: Final = "backups"
_MAX: Final = 256 * 1024  # octets of device.json


class Device:
    """One medium: the directory that it is mounted at."""

    def __init__(
        self, folder: Path, now: Callable[[], float] = time.time, costs: Costs = pins.COSTS
    ) -> None:
        self.folder = folder
        self._now = now
        self._costs = costs

    @property
    def backups(self) -> Path:
        return self.folder / BACKUPS

    def make(
        self,
        pin: str,
        *,
        label: str,
        least: int = pins.LEAST,
        tries: int = 5,
        recovery: int = 2,
        verifiers: tuple[str, ...] = (),
    ) -> tuple[About, list[str]]:
        """Make a device of an empty medium; return it and its recovery PINs, told only now."""
        from pyrage import x25519  # noqa: PLC0415 - a library of 4 MB

        _check_choices(least, tries, recovery)
        pins.check_policy(pin, least)
        with medium(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (self.folder / FILE).exists():
                raise AlreadyExists(
                    f"{self.folder} is a backup device already",
                    field="device",
                    rule="device.exists",
                    remedy="use it, or take another medium: its key opens the backups on it",
                )
            self.backups.mkdir(mode=0o700, exist_ok=True)
        identity, key = x25519.Identity.generate(), secrets.token_bytes(32)
        about = About(
            format=FORMAT,
            id=secrets.token_hex(8),
            recipient=str(identity.to_public()),
            label=label,
            created_at=int(self._now()),
            least=least,
            tries=tries,
            read_only=False,
            verifiers=verifiers,
        )
        told = [pins.recovery_pin() for _ in range(recovery)]
        slots = [self._slot(pins.normal_recovery(text), key, about, "recovery") for text in told]
        stored = sealed(about, str(identity), key)
        self._write(
            replace(
                stored,
                pin=self._slot(pin, key, about, "pin"),
                recovery=(*slots,),
            ),
            fresh=True,
        )
        self._note("made", label=label)
        return about, told

    def standing(self) -> Standing:
        """What can be told without a PIN."""
        stored = self._read()
        return Standing(stored.about, stored.pin is not None, stored.failed, len(stored.recovery))

    def open(self, pin: str) -> Opened:
        """Open it with its PIN.

        NotAuthenticated for a wrong one, LockedOut once there were too many:
        then the PIN is wiped, and only a recovery PIN opens it.
        """
        return self._unlocked(pin)[1]

    def change(
        self,
        pin: str,
        *,
        new_pin: str | None = None,
        read_only: bool | None = None,
        trust: tuple[str, ...] = (),
    ) -> About:
        """Give it another PIN, make it read-only or writable, have it trust more verifiers."""
        key, opened = self._unlocked(pin)
        if new_pin is not None:
            pins.check_policy(new_pin, opened.about.least)
        about = replace(
            opened.about,
            read_only=opened.about.read_only if read_only is None else read_only,
            verifiers=tuple(dict.fromkeys((*opened.about.verifiers, *trust))),
        )
        self._reseal(about, opened.identity, key, new_pin=new_pin)
        changed = {"pin": new_pin is not None, "read_only": about.read_only}
        self._note("changed", **changed, trusted=len(about.verifiers))
        return about

    def recover(self, recovery: str, new_pin: str) -> About:
        """Give it a new PIN by a recovery PIN, which is used up."""
        stored = self._read()
        pins.check_policy(new_pin, stored.about.least)
        text, context = pins.normal_recovery(recovery), slot_context(stored.about, "recovery")
        keys = (pins.open_slot(slot, text, context, self._costs) for slot in stored.recovery)
        place, key = next(
            ((at, found) for at, found in enumerate(keys) if found is not None), (0, None)
        )
        if key is None:
            self._note("recovery-refused")
            raise NotAuthenticated(
                "this is no recovery PIN of this device, or it was used before",
                field="recovery",
                rule="device.recovery",
                remedy=f"{len(stored.recovery)} are left; each works once",
            )
        identity = identity_in(stored, key)
        left = (*stored.recovery[:place], *stored.recovery[place + 1 :])
        self._write(
            replace(
                stored,
                pin=self._slot(new_pin, key, stored.about, "pin"),
                recovery=left,
                failed=0,
            )
        )
        del identity
        self._note("recovered", left=len(left))
        return stored.about

    def writable(self) -> About:
        """The device, if backups may be put on it."""
        about = self._read().about
        if about.read_only:
            raise BadRequest(
                f"the device {about.id} is read-only",
                field="device",
                rule="device.read-only",
                remedy="`chancery backup device pin FOLDER --writable`, or take another medium",
            )
        return about

    def log(self) -> list[dict[str, object]]:
        """What was done with it, oldest first; a line that was altered ends the list."""
        return device_log.read(self.folder / LOG)

    def _unlocked(self, pin: str) -> tuple[bytes, Opened]:
        stored = self._read()
        if stored.pin is None:
            raise wiped(len(stored.recovery))
        if stored.failed >= stored.about.tries:  # pulled out before it was wiped
            raise self._wiped(stored)
        slot, before = stored.pin, stored.failed
        # Counted before it is tried: pulling the medium out does not give one more.
        self._write(replace(stored, failed=before + 1))
        key = pins.open_slot(slot, pin, slot_context(stored.about, "pin"), self._costs)
        if key is None:
            raise self._wrong(stored)
        opened = Opened(stored.about, identity_in(stored, key), before)
        self._write(replace(stored, failed=0))
        self._note("opened", failed_before=before)
        return key, opened

    def _wrong(self, stored: Stored) -> CAError:
        left = stored.about.tries - stored.failed - 1
        if left > 0:
            self._note("refused", left=left)
            return NotAuthenticated(
                f"this is not the PIN of this device; {left} more wrong ones wipe it",
                field="pin",
                rule="device.pin",
                remedy="ask whoever keeps it; a recovery PIN sets a new one",
            )
        return self._wiped(stored)

    def _wiped(self, stored: Stored) -> CAError:
        self._write(replace(stored, pin=None, failed=0))
        self._note("wiped")
        return wiped(len(stored.recovery))

    def _slot(self, pin: str, key: bytes, about: About, kind: str) -> Slot:
        return pins.make_slot(pin, key, slot_context(about, kind), self._costs)

    def _reseal(self, about: About, identity: str, key: bytes, *, new_pin: str | None) -> None:
        stored, fresh = self._read(), sealed(about, identity, key)
        pin = stored.pin
        if new_pin is not None:
            pin = self._slot(new_pin, key, about, "pin")
        self._write(replace(fresh, pin=pin, recovery=stored.recovery))

    def _read(self) -> Stored:
        path = self.folder / FILE
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"{self.folder} is no backup device",
                field="device",
                rule="device.missing",
                remedy="is it mounted? `chancery backup device init FOLDER` makes one",
            ) from None
        except OSError as error:
            raise unreadable(path, error) from error
        if len(data) > _MAX:
            raise altered("it is longer than any")
        try:
            stored = documents.decode(Stored, data, "device")
        except BadRequest as error:
            raise altered(str(error)) from error
        if stored.about.format != FORMAT:
            raise altered(f"it is of the form {stored.about.format[:40]!r}")
        return stored

    def _write(self, stored: Stored, *, fresh: bool = False) -> None:
        with medium(self.folder):
            data = documents.encode(stored)
            if fresh:
                write_whole(self.folder / FILE, data)
            else:
                _replace(self.folder / FILE, data)

    def _note(self, what: str, **details: object) -> None:
        with medium(self.folder):
            device_log.note(self.folder / LOG, int(self._now()), what, details)


def _check_choices(least: int, tries: int, recovery: int) -> None:
    for name, value, low, high in (
        ("--min-length", least, pins.LEAST, 32),
        ("--max-tries", tries, 3, 20),
        ("--recovery", recovery, 0, 10),
    ):
        if not low <= value <= high:
            raise BadRequest(
                f"{value} is not between {low} and {high}", field=name, rule="device.choice"
            )


def _replace(path: Path, data: bytes) -> None:
    """Put *data* in the place of a file whose slots may be gone now, and overwrite the old octets.

    They are written where the medium writes in place; the file stays open over
    the rename, since FAT knows no second name for it.
    """
    with path.open("r+b") as old:
        write_whole(path, data)
        with contextlib.suppress(OSError):
            old.write(bytes(os.fstat(old.fileno()).st_size))
            old.flush()
            os.fsync(old.fileno())
