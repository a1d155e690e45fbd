"""What backups need from outside: their part of the record, and the medium that takes them.

Times are Unix seconds.  The same rules as for ``chancery.ports``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.backup import Backup, BackupKey, BackupOrder, Drill, KeyKind


class Backups(Protocol):
    """Keys, orders, backups and drills on record."""

    def add_key(self, key: BackupKey) -> None:
        """AlreadyExists if it was proposed before."""
        ...

    def update_key(self, key: BackupKey) -> None: ...
    def key(self, key_id: str) -> BackupKey | None: ...
    def keys(self) -> list[BackupKey]:
        """Newest first."""
        ...

    def key_in_force(self, kind: KeyKind) -> BackupKey | None:
        """The one approved last."""
        ...

    def add_order(self, order: BackupOrder) -> None: ...
    def update_order(self, order: BackupOrder) -> None: ...
    def order(self, order_id: str) -> BackupOrder | None: ...
    def orders(self, *, limit: int = 100) -> list[BackupOrder]:
        """Newest first."""
        ...

    def standing(self) -> list[BackupOrder]:
        """Approved standing orders, oldest first."""
        ...

    def add(self, backup: Backup) -> None: ...
    def update(self, backup: Backup) -> None: ...
    def get(self, backup_id: str) -> Backup | None: ...
    def find(self, cursor: str | None, limit: int) -> list[Backup]:
        """Newest first."""
        ...

    def next_sequence(self) -> int:
        """One above every sequence ever given out."""
        ...

    def last_done(self) -> Backup | None: ...
    def last_of(self, order_id: str) -> Backup | None:
        """The newest that was begun by that order."""
        ...

    def add_drill(self, drill: Drill) -> None: ...
    def drills(self, limit: int) -> list[Drill]:
        """Newest first."""
        ...

    def last_good_drill(self) -> Drill | None: ...


@dataclass(frozen=True, slots=True)
class MediumFacts:
    """The device that is in: its id and age recipient, and what else may be seen of it."""

    id: str
    recipient: str
    label: str
    read_only: bool
    has_pin: bool
    failed: int
    recovery_left: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write.  *checkpoint* is a signed note that the record must hash to."""

    log: str
    verifier: str
    sequence: int
    now: int
    source: str
    recipient: str
    device: str
    checkpoint: str
    approved_by: tuple[str, ...]
    previous: str


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, durably: *name* is that of its files, without endings."""

    name: str
    octets: int
    sha256: str
    manifest_sha256: str
    log_size: int
    tables: Mapping[str, int]


class BackupMedium(Protocol):
    """Where backups go: a device, and folders that get copies."""

    def facts(self) -> MediumFacts | None:
        """None while no device is in.  Unavailable where none is configured."""
        ...

    def write(
        self, wanted: Wanted, seal: Callable[[bytes], bytes], go_on: Callable[[], bool]
    ) -> Written:
        """Write a backup of this instance; whole and sealed on return, or not there.

        *seal* signs a manifest; *go_on* is asked now and then whether to continue.
        """
        ...

    def copy(self, name: str) -> tuple[Sequence[str], Sequence[str]]:
        """Copy a backup to the other folders: (those that have it, those that failed)."""
        ...

    def remove(self, name: str) -> None:
        """Remove it everywhere; nothing if it is gone."""
        ...
