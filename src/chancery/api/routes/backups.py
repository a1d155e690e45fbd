"""Backups: keys and orders that two people agree on, what was made, what drills found."""

from typing import Annotated

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Out, PageOut, Text
from chancery.api.paging import page, paged
from chancery.api.routing import Door, Who
from chancery.domain.backup import (
    Backup,
    BackupKey,
    BackupOrder,
    BackupState,
    Consent,
    Drill,
    KeyKind,
)
from chancery.domain.identity import Permission
from chancery.services.backup.desk import DrillReport

door = Door("/backups", "backups")


class KeyIn(In):
    """A source key is told with M of N, a device with its id."""

    kind: Annotated[KeyKind, Field(strict=False)]
    public: str = Field(max_length=2048, description="Base64 of a source key, or an age recipient.")
    label: Text = ""
    device: str = Field(default="", max_length=64)
    threshold: int = 0
    shares: int = 0


class KeyOut(Out):
    id: str
    kind: KeyKind
    public: str
    label: str
    threshold: int
    shares: int
    state: Consent
    proposed_by: str
    created_at: int
    decided_by: str | None
    decided_at: int | None


class OrderIn(In):
    every_s: int | None = Field(default=None, description="One after the other; null: one now.")
    comment: Text = ""


class OrderOut(Out):
    id: str
    every_s: int | None
    comment: str
    state: Consent
    proposed_by: str
    created_at: int
    decided_by: str | None
    decided_at: int | None


class BackupOut(Out):
    id: str
    sequence: int
    order_id: str
    state: BackupState
    started_at: int
    name: str
    octets: int
    sha256: str
    manifest_sha256: str
    log_size: int
    tables: dict[str, int] = Field(description="Rows of each table.")
    copies: list[str]
    late: list[str] = Field(description="Folders that could not take a copy.")
    finished_at: int | None
    failure: str | None


class DrillIn(In):
    sequence: int = Field(ge=0, description="0 where it cannot be read.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    certificates: int = Field(ge=0)
    records: int = Field(ge=0)
    findings: list[Text] = Field(max_length=50)
    took_ms: int = Field(ge=0)


class DrillOut(Out):
    id: str
    backup_sequence: int
    backup_sha256: str
    good: bool
    certificates: int
    records: int
    findings: list[str]
    done_by: str
    done_at: int
    took_ms: int


class MediumOut(Out):
    id: str
    recipient: str
    label: str
    read_only: bool
    has_pin: bool
    failed: int
    recovery_left: int


class ConcernOut(Out):
    kind: str
    text: str
    remedy: str
    at: int
    now: bool


class StandingOut(Out):
    """`medium` is null while no device is in."""

    configured: bool
    medium: MediumOut | None
    source: KeyOut | None
    device: KeyOut | None
    last: BackupOut | None
    last_drill: DrillOut | None
    concerns: list[ConcernOut]


def _key(one: BackupKey) -> KeyOut:
    return KeyOut.model_validate(one, from_attributes=True)


def _order(one: BackupOrder) -> OrderOut:
    return OrderOut.model_validate(one, from_attributes=True)


def _backup(one: Backup) -> BackupOut:
    return BackupOut.model_validate(one, from_attributes=True)


def _drill(one: Drill) -> DrillOut:
    return DrillOut.model_validate(one, from_attributes=True)


@door.route("GET", "", Permission.BACKUP_READ)
def list_backups(
    who: Who, using: Using, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[BackupOut]:
    """List backups, newest first."""
    asked = page(cursor, limit)
    found = using.backups.find(who, asked.cursor, asked.limit)
    return paged(found, limit, lambda one: one.id, _backup)


@door.route("GET", "/standing", Permission.BACKUP_READ)
def show_standing(who: Who, using: Using) -> StandingOut:
    """Show how things stand: keys, the device that is in, the last backup and drill, worries."""
    return StandingOut.model_validate(using.backups.standing(who), from_attributes=True)


@door.route("GET", "/keys", Permission.BACKUP_READ)
def list_keys(who: Who, using: Using) -> list[KeyOut]:
    """List the keys that backups are, were or may be encrypted to, newest first."""
    return [_key(one) for one in using.backups.keys(who)]


@door.route("POST", "/keys", Permission.BACKUP_MANAGE, status=201)
def propose_key(who: Who, using: Using, body: KeyIn) -> KeyOut:
    """Propose a key; it counts once somebody else has approved it."""
    made = using.backups.propose_key(
        who,
        body.kind,
        body.public,
        label=body.label,
        device=body.device,
        threshold=body.threshold,
        shares=body.shares,
    )
    return _key(made)


@door.route("POST", "/keys/{key_id}/approve", Permission.BACKUP_MANAGE)
def approve_key(who: Who, using: Using, key_id: str) -> KeyOut:
    """Agree to a key that somebody else proposed."""
    return _key(using.backups.approve_key(who, key_id))


@door.route("POST", "/keys/{key_id}/withdraw", Permission.BACKUP_MANAGE)
def withdraw_key(who: Who, using: Using, key_id: str) -> KeyOut:
    """Have no further backup encrypted to a key."""
    return _key(using.backups.withdraw_key(who, key_id))


@door.route("GET", "/orders", Permission.BACKUP_READ)
def list_orders(who: Who, using: Using) -> list[OrderOut]:
    """List orders, newest first."""
    return [_order(one) for one in using.backups.orders(who)]


@door.route("POST", "/orders", Permission.BACKUP_MANAGE, status=201)
def order_backup(who: Who, using: Using, body: OrderIn) -> OrderOut:
    """Order a backup, or one every so often; it is made once somebody else has approved."""
    return _order(using.backups.order(who, every_s=body.every_s, comment=body.comment))


@door.route("POST", "/orders/{order_id}/approve", Permission.BACKUP_MANAGE)
def approve_order(who: Who, using: Using, order_id: str) -> OrderOut:
    """Agree to an order of somebody else: the backup is made now."""
    return _order(using.backups.approve_order(who, order_id))


@door.route("POST", "/orders/{order_id}/withdraw", Permission.BACKUP_MANAGE)
def withdraw_order(who: Who, using: Using, order_id: str) -> OrderOut:
    """Let an order be; a standing one makes no more backups."""
    return _order(using.backups.withdraw_order(who, order_id))


@door.route("GET", "/drills", Permission.BACKUP_READ)
def list_drills(who: Who, using: Using) -> list[DrillOut]:
    """List what drills found, newest first."""
    return [_drill(one) for one in using.backups.drills(who)]


@door.route("POST", "/drills", Permission.BACKUP_MANAGE, status=201)
def record_drill(who: Who, using: Using, body: DrillIn) -> DrillOut:
    """Put on record what a drill found (`chancery backup drill` does it)."""
    report = DrillReport(
        body.sequence,
        body.sha256,
        body.certificates,
        body.records,
        tuple(body.findings),
        body.took_ms,
    )
    return _drill(using.backups.record_drill(who, report))


@door.route("GET", "/{backup_id}", Permission.BACKUP_READ)
def show_backup(who: Who, using: Using, backup_id: str) -> BackupOut:
    """Show one backup."""
    return _backup(using.backups.show(who, backup_id))
