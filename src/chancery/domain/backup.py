"""Backups: for whom they are encrypted, who ordered them, what was made, what a drill found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class KeyKind(StrEnum):
    """SOURCE: custodians hold its secret M of N.  DEVICE: it lies on the medium, behind a PIN."""

    SOURCE = "source"
    DEVICE = "device"


class Consent(StrEnum):
    """What two people make of a proposal.  Nothing is done on the word of one."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class BackupKey:
    """A public key that backups are encrypted to; the newest approved one of its kind counts.

    *id* follows from *public*: base64 of the source's, or the age recipient of the device.
    *threshold* of *shares* custodians open the source; both are 0 for a device.
    *verifiers*, for a device, are the keys it was told to trust manifests of.
    """

    id: str
    kind: KeyKind
    public: str
    label: str
    threshold: int
    shares: int
    state: Consent
    proposed_by: str
    created_at: int
    decided_by: str | None = None
    decided_at: int | None = None


@dataclass(frozen=True, slots=True)
class BackupOrder:
    """Somebody wants backups and somebody else agrees: one now, or one *every_s* from now on.

    A standing order stands until it is withdrawn.
    """

    id: str
    every_s: int | None
    comment: str
    state: Consent
    proposed_by: str
    created_at: int
    decided_by: str | None = None
    decided_at: int | None = None


class BackupState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup.  *sequence* never repeats; *name* is that of its files.

    *tables* counts rows; *manifest_sha256* is what its seal covers.  *copies*
    are folders that hold it as well, *late* those that could not take it.
    """

    id: str
    sequence: int
    order_id: str
    state: BackupState
    started_at: int
    name: str = ""
    octets: int = 0
    sha256: str = ""
    manifest_sha256: str = ""
    log_size: int = 0
    tables: Mapping[str, int] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    finished_at: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Drill:
    """Somebody restored a backup to a scratch instance and looked: *findings* is empty if all fits.

    *certificates* and *records* of the log were compared with the live instance.
    """

    id: str
    backup_sequence: int
    backup_sha256: str
    good: bool
    certificates: int
    records: int
    findings: tuple[str, ...]
    done_by: str
    done_at: int
    took_ms: int
