"""The job that makes a backup, when it is due, and which old ones go."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.audit import Outcome
from chancery.domain.backup import Backup, BackupKey, BackupOrder, BackupState, Consent, KeyKind
from chancery.domain.errors import BadRequest, CAError, Conflict, Unavailable
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.domain.work import Job, JobState, RetryPolicy
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_backup import BackupMedium, Wanted, Written
from chancery.services.audit import AuditService, event
from chancery.services.jobs.handler import Finish, Lease
from chancery.wire import backup_manifest, note

_log = logging.getLogger(__name__)

KIND: Final = "backup"
_LOOKED_AT: Final = 1000  # backups that retention looks at


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """*keep* of the newest backups stay; a good drill is wanted every *drill_every_s*."""

    keep: int
    drill_every_s: int


@dataclass(frozen=True, slots=True)
class _Begun:
    backup: Backup
    order: BackupOrder
    source: BackupKey
    device: BackupKey
    previous: str


class BackupMaking:
    """Implements ``jobs.Handler``: each try is a backup of its own, on record before it begins."""

    kind = KIND
    policy = RetryPolicy(lease_s=120, attempts=3, first_s=30)

    def __init__(
        self,
        store: Store,
        medium: BackupMedium,
        audit: AuditService,
        plan: BackupPlan,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store, self._medium, self._audit = store, medium, audit
        self.plan, self._clock, self._entropy = plan, clock, entropy

    def due(self) -> int:
        """Put what standing orders want on the table of jobs; return how many."""
        now = self._clock.s()
        with self._store.read() as session:
            orders = [one for one in session.backups.standing() if _wants(session, one, now)]

        def unit(session: Session) -> int:
            wanted = [one for one in orders if _wants(session, one, now)]
            for order in wanted:
                if session.jobs.get(order.id) is None:
                    session.jobs.add([Job(order.id, KIND, order.id, now, 0, now)])
                else:  # given up the last time
                    session.jobs.retry(order.id, now)
            return len(wanted)

        return self._store.write(unit) if orders else 0

    def run(self, lease: Lease) -> Finish | None:
        begun = self._begin(lease)
        if begun is None:
            return None
        try:
            written = self._write(begun, lease)
        except CAError as error:
            self._failed(begun.backup, str(error))
            raise
        except Exception:
            self._failed(begun.backup, "it failed inside; the log of the jobs process says how")
            raise
        copies, late = self._medium.copy(written.name)
        done = replace(
            begun.backup,
            state=BackupState.DONE,
            name=written.name,
            octets=written.octets,
            sha256=written.sha256,
            manifest_sha256=written.manifest_sha256,
            log_size=written.log_size,
            tables=written.tables,
            copies=tuple(copies),
            late=tuple(late),
            finished_at=self._clock.s(),
        )
        self._record(done, begun.order)
        self._retire()
        return None

    def given_up(self, session: Session, job: Job, error: str, now_ms: int) -> None:
        """What failed is on record with each try."""

    def _begin(self, lease: Lease) -> _Begun | None:
        now = self._clock.ms()

        def unit(session: Session) -> _Begun | None:
            lease.demand(session)
            order = session.backups.order(lease.job.payload)
            if order is None or order.state is not Consent.APPROVED:
                return None  # withdrawn meanwhile
            source = session.backups.key_in_force(KeyKind.SOURCE)
            device = session.backups.key_in_force(KeyKind.DEVICE)
            if source is None or device is None:
                raise BadRequest("no key to encrypt it to", field="keys", rule="backup.no-keys")
            self._close_broken(session, order, now)
            last = session.backups.last_done()
            backup = Backup(
                id=new_id(now, self._entropy(10)),
                sequence=session.backups.next_sequence(),
                order_id=order.id,
                state=BackupState.RUNNING,
                started_at=now // 1000,
            )
            session.backups.add(backup)
            told = event(
                SYSTEM, "backup.begun", backup.id, sequence=backup.sequence, order=order.id
            )
            session.audit.append([told], now)
            return _Begun(backup, order, source, device, last.manifest_sha256 if last else "")

        return self._store.write(unit)

    def _close_broken(self, session: Session, order: BackupOrder, now: int) -> None:
        """Whoever made the last one for this order is gone: its lease is ours."""
        last = session.backups.last_of(order.id)
        if last is not None and last.state is BackupState.RUNNING:
            why = "the service stopped while it was made"
            ended = replace(last, state=BackupState.FAILED, failure=why, finished_at=now // 1000)
            session.backups.update(ended)

    def _write(self, begun: _Begun, lease: Lease) -> Written:
        self._demand_device(begun.device)
        people = (begun.order.proposed_by, begun.order.decided_by or "")
        self._audit.checkpoint()
        signed = self._audit.published_checkpoint()  # what the snapshot holds goes further than it
        key = self._audit.verifier_key()
        text = note.open_note(signed, key)
        wanted = Wanted(
            log=note.parse_checkpoint(text).origin,
            verifier=str(key),
            sequence=begun.backup.sequence,
            now=begun.backup.started_at,
            source=begun.source.public,
            recipient=begun.device.public,
            device=begun.device.id,
            checkpoint=signed.decode(),
            approved_by=people,
            previous=begun.previous,
        )
        return self._medium.write(
            wanted,
            seal=lambda manifest: self._audit.seal(backup_manifest.extension(manifest)),
            go_on=lambda: not lease.stopping.is_set() and not lease.lost.is_set(),
        )

    def _demand_device(self, key: BackupKey) -> None:
        """The medium that is in must be the one that two people agreed on."""
        facts = self._medium.facts()
        if facts is None:
            raise Unavailable(
                f"the device {key.id} is not in",
                field="device",
                rule="backup.no-medium",
                remedy=f"put {key.label or key.id} in",
            )
        if (facts.id, facts.recipient) != (key.id, key.public):
            raise Conflict(
                f"another device is in: {facts.id}, not {key.id}",
                field="device",
                rule="backup.device-other",
                remedy=f"put {key.label or key.id} in, or have two people approve {facts.id}",
            )
        if facts.read_only:
            raise BadRequest(
                f"the device {facts.id} is read-only",
                field="device",
                rule="device.read-only",
                remedy="make it writable with its PIN, or take another",
            )

    def _record(self, done: Backup, order: BackupOrder) -> None:
        def unit(session: Session) -> None:
            session.backups.update(done)
            told = event(
                SYSTEM,
                "backup.made",
                done.id,
                sequence=done.sequence,
                name=done.name,
                sha256=done.sha256,
                manifest_sha256=done.manifest_sha256,
                octets=done.octets,
                ordered_by=order.proposed_by,
                approved_by=order.decided_by,
                copies=list(done.copies),
                late=list(done.late),
            )
            session.audit.append([told], self._clock.ms())

        self._store.write(unit)

    def _failed(self, backup: Backup, why: str) -> None:
        failed = replace(
            backup, state=BackupState.FAILED, failure=why[:1000], finished_at=self._clock.s()
        )

        def unit(session: Session) -> None:
            session.backups.update(failed)
            told = event(
                SYSTEM,
                "backup.failed",
                failed.id,
                Outcome.FAILURE,
                sequence=failed.sequence,
                why=failed.failure,
            )
            session.audit.append([told], self._clock.ms())

        self._store.write(unit)

    def _retire(self) -> None:
        """Remove the oldest above *keep*; what a medium does not let go is for the next time."""
        with self._store.read() as session:
            done = [
                one
                for one in session.backups.find(None, _LOOKED_AT)
                if one.state is BackupState.DONE
            ]
        for old in done[self.plan.keep :]:
            try:
                self._medium.remove(old.name)
            except CAError as error:
                _log.warning("backup %s could not be removed: %s", old.sequence, error)
                continue
            gone = replace(old, state=BackupState.REMOVED)

            def unit(session: Session, gone: Backup = gone) -> None:
                session.backups.update(gone)
                told = event(SYSTEM, "backup.removed", gone.id, sequence=gone.sequence)
                session.audit.append([told], self._clock.ms())

            self._store.write(unit)


def _wants(session: Session, order: BackupOrder, now: int) -> bool:
    """Whether its time has come and nobody is at it."""
    assert order.every_s is not None
    last, job = session.backups.last_of(order.id), session.jobs.get(order.id)
    if job is not None and job.state is not JobState.FAILED:
        return False
    return last is None or now >= last.started_at + order.every_s
