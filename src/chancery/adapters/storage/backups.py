"""Keys, orders, backups and drills on record."""

import json
from typing import Any, Final

from sqlalchemy import Table, func, insert, select, update

from chancery.adapters.storage import schema_backup
from chancery.adapters.storage.link import Link, Record
from chancery.domain.backup import (
    Backup,
    BackupKey,
    BackupOrder,
    BackupState,
    Consent,
    Drill,
    KeyKind,
)

_KEY: Final = schema_backup.backup_key
_ORDER: Final = schema_backup.backup_order
_BACKUP: Final = schema_backup.backup
_DRILL: Final = schema_backup.backup_drill


class SqlBackups:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add_key(self, key: BackupKey) -> None:
        self._link.run(insert(_KEY).values(**_key_row(key)))

    def update_key(self, key: BackupKey) -> None:
        self._change(_KEY, key.id, _key_row(key))

    def key(self, key_id: str) -> BackupKey | None:
        row = self._link.first(select(_KEY).where(_KEY.c.id == key_id))
        return _key(row) if row is not None else None

    def keys(self) -> list[BackupKey]:
        found = select(_KEY).order_by(_KEY.c.created_at.desc(), _KEY.c.id)
        return [_key(row) for row in self._link.rows(found)]

    def key_in_force(self, kind: KeyKind) -> BackupKey | None:
        found = select(_KEY).where(
            _KEY.c.kind == kind.value, _KEY.c.state == Consent.APPROVED.value
        )
        row = self._link.first(found.order_by(_KEY.c.decided_at.desc(), _KEY.c.created_at.desc()))
        return _key(row) if row is not None else None

    def add_order(self, order: BackupOrder) -> None:
        self._link.run(insert(_ORDER).values(**_order_row(order)))

    def update_order(self, order: BackupOrder) -> None:
        self._change(_ORDER, order.id, _order_row(order))

    def order(self, order_id: str) -> BackupOrder | None:
        row = self._link.first(select(_ORDER).where(_ORDER.c.id == order_id))
        return _order(row) if row is not None else None

    def orders(self, *, limit: int = 100) -> list[BackupOrder]:
        found = select(_ORDER).order_by(_ORDER.c.id.desc()).limit(limit)
        return [_order(row) for row in self._link.rows(found)]

    def standing(self) -> list[BackupOrder]:
        found = select(_ORDER).where(
            _ORDER.c.state == Consent.APPROVED.value, _ORDER.c.every_s.is_not(None)
        )
        return [_order(row) for row in self._link.rows(found.order_by(_ORDER.c.id))]

    def add(self, backup: Backup) -> None:
        self._link.run(insert(_BACKUP).values(**_backup_row(backup)))

    def update(self, backup: Backup) -> None:
        self._change(_BACKUP, backup.id, _backup_row(backup))

    def get(self, backup_id: str) -> Backup | None:
        return self._backup(_BACKUP.c.id == backup_id)

    def find(self, cursor: str | None, limit: int) -> list[Backup]:
        found = select(_BACKUP).order_by(_BACKUP.c.id.desc()).limit(limit)
        if cursor is not None:
            found = found.where(_BACKUP.c.id < cursor)
        return [_backup(row) for row in self._link.rows(found)]

    def next_sequence(self) -> int:
        highest = self._link.run(select(func.max(_BACKUP.c.sequence))).scalar()
        return int(highest or 0) + 1

    def last_done(self) -> Backup | None:
        return self._backup(_BACKUP.c.state == BackupState.DONE.value)

    def last_of(self, order_id: str) -> Backup | None:
        return self._backup(_BACKUP.c.order_id == order_id)

    def add_drill(self, drill: Drill) -> None:
        self._link.run(insert(_DRILL).values(**_drill_row(drill)))

    def drills(self, limit: int) -> list[Drill]:
        found = select(_DRILL).order_by(_DRILL.c.id.desc()).limit(limit)
        return [_drill(row) for row in self._link.rows(found)]

    def last_good_drill(self) -> Drill | None:
        found = select(_DRILL).where(_DRILL.c.good == 1).order_by(_DRILL.c.done_at.desc())
        row = self._link.first(found.limit(1))
        return _drill(row) if row is not None else None

    def _backup(self, condition: Any) -> Backup | None:
        found = select(_BACKUP).where(condition).order_by(_BACKUP.c.sequence.desc()).limit(1)
        row = self._link.first(found)
        return _backup(row) if row is not None else None

    def _change(self, table: Table, row_id: str, values: dict[str, Any]) -> None:
        self._link.run(update(table).where(table.c.id == row_id).values(**values))


def _key_row(key: BackupKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "kind": key.kind.value,
        "public": key.public,
        "label": key.label,
        "threshold": key.threshold,
        "shares": key.shares,
        **_decided(key),
    }


def _order_row(order: BackupOrder) -> dict[str, Any]:
    return {
        "id": order.id,
        "every_s": order.every_s,
        "comment": order.comment,
        **_decided(order),
    }


def _decided(one: BackupKey | BackupOrder) -> dict[str, Any]:
    return {
        "state": one.state.value,
        "proposed_by": one.proposed_by,
        "created_at": one.created_at,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
    }


def _key(row: Record) -> BackupKey:
    identity, kind, public, label, threshold, shares, state, *rest = row
    return BackupKey(
        identity, KeyKind(kind), public, label, threshold, shares, Consent(state), *rest
    )


def _order(row: Record) -> BackupOrder:
    identity, every_s, comment, state, *rest = row
    return BackupOrder(identity, every_s, comment, Consent(state), *rest)


def _backup_row(backup: Backup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "sequence": backup.sequence,
        "order_id": backup.order_id,
        "state": backup.state.value,
        "started_at": backup.started_at,
        "name": backup.name,
        "octets": backup.octets,
        "sha256": backup.sha256,
        "manifest_sha256": backup.manifest_sha256,
        "log_size": backup.log_size,
        "tables": json.dumps(dict(backup.tables), sort_keys=True),
        "copies": json.dumps(backup.copies),
        "late": json.dumps(backup.late),
        "finished_at": backup.finished_at,
        "failure": backup.failure,
    }


def _backup(row: Record) -> Backup:
    found = row._mapping
    return Backup(
        id=found["id"],
        sequence=found["sequence"],
        order_id=found["order_id"],
        state=BackupState(found["state"]),
        started_at=found["started_at"],
        name=found["name"],
        octets=found["octets"],
        sha256=found["sha256"],
        manifest_sha256=found["manifest_sha256"],
        log_size=found["log_size"],
        tables=json.loads(found["tables"]),
        copies=tuple(json.loads(found["copies"])),
        late=tuple(json.loads(found["late"])),
        finished_at=found["finished_at"],
        failure=found["failure"],
    )


def _drill_row(drill: Drill) -> dict[str, Any]:
    return {
        "id": drill.id,
        "backup_sequence": drill.backup_sequence,
        "backup_sha256": drill.backup_sha256,
        "good": int(drill.good),
        "certificates": drill.certificates,
        "records": drill.records,
        "findings": json.dumps(drill.findings),
        "done_by": drill.done_by,
        "done_at": drill.done_at,
        "took_ms": drill.took_ms,
    }


def _drill(row: Record) -> Drill:
    identity, sequence, sha256, good, certificates, records, findings, *rest = row
    return Drill(
        identity,
        sequence,
        sha256,
        bool(good),
        certificates,
        records,
        tuple(json.loads(findings)),
        *rest,
    )
