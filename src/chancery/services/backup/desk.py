"""What operators do about backups: propose and approve keys and orders, look, record drills."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chancery.domain.backup import (
    Backup,
    BackupKey,
    BackupOrder,
    Consent,
    Drill,
    KeyKind,
)
from chancery.domain.errors import AlreadyExists, BadRequest, CAError, Conflict, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.work import Job
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_backup import BackupMedium, MediumFacts
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.backup import consent
from chancery.services.backup.making import KIND, BackupPlan
from chancery.services.backup.public_keys import key_id
from chancery.services.backup.standing import BackupStanding, Concern, concerns, standing
from chancery.services.request_access import bounded

_LEAST_EVERY_S: Final = 600
_MOST_EVERY_S: Final = 366 * 86_400


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What a drill found, as whoever held it says."""

    sequence: int
    sha256: str
    certificates: int
    records: int
    findings: tuple[str, ...]
    took_ms: int


class BackupService:
    """See the module.  *medium* is None where the settings name none."""

    def __init__(
        self,
        store: Store,
        medium: BackupMedium,
        plan: BackupPlan,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store, self._medium, self._plan = store, medium, plan
        self._clock, self._entropy = clock, entropy

    # Looking

    def standing(self, principal: Principal) -> BackupStanding:
        demand(principal, Permission.BACKUP_READ)
        facts = self._facts()
        with self._store.read() as session:
            return standing(session, facts, self._clock.s(), self._plan.drill_every_s)

    def concerns(self) -> list[Concern]:
        """What needs somebody; for the home page and the sweeps, which ask by themselves."""
        with self._store.read() as session:
            return list(concerns(session, self._clock.s(), self._plan.drill_every_s))

    def find(
        self, principal: Principal, cursor: str | None = None, limit: int = 100
    ) -> list[Backup]:
        """Newest first."""
        demand(principal, Permission.BACKUP_READ)
        with self._store.read() as session:
            return session.backups.find(cursor, limit)

    def show(self, principal: Principal, backup_id: str) -> Backup:
        demand(principal, Permission.BACKUP_READ)
        with self._store.read() as session:
            found = session.backups.get(backup_id)
        if found is None:
            raise NotFound(
                f"there is no backup {backup_id[:80]!r}", field="id", rule="backup.known"
            )
        return found

    def keys(self, principal: Principal) -> list[BackupKey]:
        demand(principal, Permission.BACKUP_READ)
        with self._store.read() as session:
            return session.backups.keys()

    def orders(self, principal: Principal) -> list[BackupOrder]:
        demand(principal, Permission.BACKUP_READ)
        with self._store.read() as session:
            return session.backups.orders()

    def drills(self, principal: Principal) -> list[Drill]:
        demand(principal, Permission.BACKUP_READ)
        with self._store.read() as session:
            return session.backups.drills(100)

    # Keys

    def propose_key(
        self,
        principal: Principal,
        kind: KeyKind,
        public: str,
        *,
        label: str = "",
        device: str = "",
        threshold: int = 0,
        shares: int = 0,
    ) -> BackupKey:
        """Have backups encrypted to *public* from now on, once somebody else agrees."""
        demand(principal, Permission.BACKUP_MANAGE)
        bounded(label, "label")
        now = self._clock.ms()
        identity = key_id(kind, public, device, threshold, shares)
        new = BackupKey(
            identity, kind, public, label, threshold, shares, Consent.PROPOSED, principal.name,
            now // 1000,
        )  # fmt: skip
        key = consent.proposed(new, principal, now // 1000)

        def unit(session: Session) -> BackupKey:
            if session.backups.key(key.id) is not None:
                raise AlreadyExists(
                    f"the key {key.id} is on record already",
                    field="public",
                    rule="backup.key-known",
                )
            session.backups.add_key(key)
            session.audit.append(
                [event(principal, "backup.key-proposed", key.id, kind=kind.value, label=label)], now
            )
            return key

        return self._store.write(unit)

    def approve_key(self, principal: Principal, key_id: str) -> BackupKey:
        return self._decide_key(principal, key_id, consent.approved, "backup.key-approved")

    def withdraw_key(self, principal: Principal, key_id: str) -> BackupKey:
        return self._decide_key(principal, key_id, consent.withdrawn, "backup.key-withdrawn")

    def _decide_key(
        self,
        principal: Principal,
        key_id: str,
        decide: Callable[[BackupKey, Principal, int], BackupKey],
        action: str,
    ) -> BackupKey:
        demand(principal, Permission.BACKUP_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> BackupKey:
            key = consent.found(session.backups.key(key_id), "key", key_id)
            decided = decide(key, principal, now // 1000)
            session.backups.update_key(decided)
            told = event(
                principal, action, key_id, kind=key.kind.value, proposed_by=key.proposed_by
            )
            session.audit.append([told], now)
            return decided

        return self._store.write(unit)

    # Orders

    def order(
        self, principal: Principal, *, every_s: int | None = None, comment: str = ""
    ) -> BackupOrder:
        """Propose one backup now, or with *every_s* one after the other until it is withdrawn."""
        demand(principal, Permission.BACKUP_MANAGE)
        bounded(comment, "comment")
        if every_s is not None and not _LEAST_EVERY_S <= every_s <= _MOST_EVERY_S:
            raise BadRequest(
                f"every {every_s} s is not between 10 minutes and a year",
                field="every_s",
                rule="backup.every",
            )
        now = self._clock.ms()
        identity = new_id(now, self._entropy(10))
        new = BackupOrder(identity, every_s, comment, Consent.PROPOSED, principal.name, now // 1000)
        order = consent.proposed(new, principal, now // 1000)
        if isinstance(unready := self._facts(), CAError):
            raise unready

        def unit(session: Session) -> BackupOrder:
            self._demand_keys(session)
            session.backups.add_order(order)
            told = event(
                principal, "backup.ordered", order.id, every_s=every_s, comment=comment or None
            )
            session.audit.append([told], now)
            self._begin(session, order, now // 1000)
            return order

        return self._store.write(unit)

    def approve_order(self, principal: Principal, order_id: str) -> BackupOrder:
        """Agree; it is made as soon as the jobs process comes to it."""
        demand(principal, Permission.BACKUP_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> BackupOrder:
            order = consent.found(session.backups.order(order_id), "order", order_id)
            decided = consent.approved(order, principal, now // 1000)
            self._demand_keys(session)
            session.backups.update_order(decided)
            told = event(principal, "backup.order-approved", order_id, ordered_by=order.proposed_by)
            session.audit.append([told], now)
            self._begin(session, decided, now // 1000)
            return decided

        return self._store.write(unit)

    def withdraw_order(self, principal: Principal, order_id: str) -> BackupOrder:
        """Let it be: a standing order makes no more backups."""
        demand(principal, Permission.BACKUP_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> BackupOrder:
            order = consent.found(session.backups.order(order_id), "order", order_id)
            decided = consent.withdrawn(order, principal, now // 1000)
            session.backups.update_order(decided)
            session.audit.append([event(principal, "backup.order-withdrawn", order_id)], now)
            return decided

        return self._store.write(unit)

    def _begin(self, session: Session, order: BackupOrder, now: int) -> None:
        if order.state is Consent.APPROVED:
            session.jobs.add([Job(order.id, KIND, order.id, now, 0, now)])

    def _demand_keys(self, session: Session) -> None:
        for kind, remedy in (
            (KeyKind.SOURCE, "`chancery backup source init`, then approve it"),
            (KeyKind.DEVICE, "`chancery backup device init`, then approve it"),
        ):
            if session.backups.key_in_force(kind) is None:
                raise Conflict(
                    f"no {kind.value} key was approved that a backup could be encrypted to",
                    field="keys",
                    rule=f"backup.no-{kind.value}",
                    remedy=remedy,
                )

    # Drills

    def record_drill(self, principal: Principal, report: DrillReport) -> Drill:
        """Put on record what a drill found."""
        demand(principal, Permission.BACKUP_MANAGE)
        for finding in report.findings:
            bounded(finding, "findings")
        now = self._clock.ms()
        drill = Drill(
            id=new_id(now, self._entropy(10)),
            backup_sequence=report.sequence,
            backup_sha256=report.sha256,
            good=not report.findings,
            certificates=report.certificates,
            records=report.records,
            findings=report.findings[:50],
            done_by=principal.name,
            done_at=now // 1000,
            took_ms=report.took_ms,
        )

        def unit(session: Session) -> Drill:
            session.backups.add_drill(drill)
            told = event(
                principal,
                "backup.drilled",
                str(report.sequence),
                good=drill.good,
                sha256=report.sha256,
                certificates=report.certificates,
                records=report.records,
                findings=list(drill.findings),
            )
            session.audit.append([told], now)
            return drill

        return self._store.write(unit)

    def _facts(self) -> MediumFacts | CAError | None:
        try:
            return self._medium.facts()
        except CAError as error:
            return error
