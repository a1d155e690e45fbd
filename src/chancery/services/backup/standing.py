"""How things stand with backups, and what of it needs somebody."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chancery.domain.backup import Backup, BackupKey, BackupState, Drill, KeyKind
from chancery.domain.errors import CAError
from chancery.ports import Session
from chancery.ports_backup import MediumFacts

_GRACE_S: Final = 3600
"""How late a scheduled backup may be before anybody is told."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is wrong with the backups.  *at*: since when, in Unix seconds."""

    kind: str
    text: str
    remedy: str
    at: int
    now: bool


@dataclass(frozen=True, slots=True)
class BackupStanding:
    """*medium* is None while no device is in, or none is configured."""

    configured: bool
    medium: MediumFacts | None
    source: BackupKey | None
    device: BackupKey | None
    last: Backup | None
    last_drill: Drill | None
    concerns: tuple[Concern, ...]


def concerns(session: Session, now: int, drill_every_s: int) -> Iterator[Concern]:
    """What of the record's own is late; silent until a first order stands or a backup was made."""
    backups = session.backups
    last, drill = backups.last_done(), backups.last_good_drill()
    for order in backups.standing():
        assert order.every_s is not None
        since = last.started_at if last is not None else (order.decided_at or order.created_at)
        if now > since + order.every_s + _GRACE_S:
            yield Concern(
                "backup-late",
                "A scheduled backup is late."
                if last is not None
                else "No scheduled backup has been made yet.",
                "Is the device in and writable?  The last attempt says why it failed.",
                since + order.every_s,
                now=True,
            )
            break
    newest = next(iter(backups.find(None, 1)), None)
    if newest is not None and newest.state is BackupState.FAILED:
        yield Concern(
            "backup-failed",
            f"Backup {newest.sequence} failed: {newest.failure or 'it was interrupted'}.",
            "Put it right, and order another.",
            newest.finished_at or newest.started_at,
            now=True,
        )
    if newest is not None and newest.state is BackupState.DONE and newest.late:
        yield Concern(
            "backup-copy",
            f"Backup {newest.sequence} has not reached {', '.join(newest.late)}.",
            "Is that folder there and writable?  The next backup tries again.",
            newest.finished_at or newest.started_at,
            now=False,
        )
    if last is None:
        return
    since = drill.done_at if drill is not None else last.started_at
    if now > since + drill_every_s:
        yield Concern(
            "drill-old",
            "No restore has been tried for too long: nobody knows what the backups are worth."
            if drill is not None
            else "No restore was ever tried: nobody knows what the backups are worth.",
            "Bring custodians and device together: chancery backup drill",
            since + drill_every_s,
            now=False,
        )


def standing(
    session: Session, facts: MediumFacts | CAError | None, now: int, drill_every_s: int
) -> BackupStanding:
    """*facts* is the medium's, or why it has none."""
    backups = session.backups
    trouble = facts if isinstance(facts, CAError) else None
    unset = trouble is not None and trouble.rule == "backup.not-configured"
    found = list(concerns(session, now, drill_every_s))
    if trouble is not None and not unset:
        remedy = trouble.remedy or "Look at the device."
        found.insert(0, Concern("backup-device", str(trouble), remedy, now, now=True))
    return BackupStanding(
        configured=not unset,
        medium=facts if isinstance(facts, MediumFacts) else None,
        source=backups.key_in_force(KeyKind.SOURCE),
        device=backups.key_in_force(KeyKind.DEVICE),
        last=backups.last_done(),
        last_drill=backups.last_good_drill(),
        concerns=tuple(found),
    )
