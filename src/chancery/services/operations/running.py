"""Does what an operation asks for, some items in each unit of work.

Progress is part of the same unit, so that after any crash the work goes on
where the record says it stands.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Literal

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import CAError, Unavailable
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.ids import made_ms
from chancery.domain.operation import Item, Operation, OperationKind, OperationState
from chancery.domain.work import Job, RetryPolicy
from chancery.ports import Clock, Session, Store
from chancery.ports_work import OperationFilter
from chancery.services.audit import event
from chancery.services.decisions import DecisionService
from chancery.services.jobs import Finish, Lease, Postponed
from chancery.services.operations.principals import standing
from chancery.services.status_changes import CRL_DELAY_S, revocation, revoke_all

KIND: Final = "operation"
_REVOKED: Final = 1_000  # certificates of one unit: some 40 ms, as long as others may wait
_CRL_EVERY_S: Final = 30
"""While an operation revokes, a CRL is made so often; and one when it ends."""

_DECIDED: Final = 64
_UNBEGUN_S: Final = 600
_AT_ONCE: Final = 8


class OperationHandler:
    """The job of an operation (``services.jobs.Handler``); its id is the operation's."""

    kind = KIND
    policy = RetryPolicy(lease_s=60, attempts=20, first_s=2, longest_s=300)

    def __init__(self, store: Store, decisions: DecisionService, clock: Clock) -> None:
        self._store = store
        self._decisions = decisions
        self._clock = clock

    def run(self, lease: Lease) -> Finish | None:
        with self._store.read() as session:
            operation = session.operations.get(lease.job.id)
            if operation is None or operation.state in {
                OperationState.DONE,
                OperationState.CANCELLED,
            }:
                return None
            principal = standing(session, operation.principal)
        if operation.kind is OperationKind.REVOKE:
            step: Callable[[Lease, Principal], bool] = self._revoke_some
        else:
            step = self._decide_some
        while not step(lease, principal):
            if lease.stopping.is_set():
                raise Postponed
        return None

    def given_up(self, session: Session, job: Job, error: str, now_ms: int) -> None:
        operation = session.operations.get(job.id)
        if operation is not None and not operation.ended:
            failed = replace(
                operation,
                state=OperationState.FAILED,
                failure=error,
                finished_at=now_ms // 1000,
            )
            session.operations.update(failed)
            session.audit.append([_ended(SYSTEM, failed)], now_ms)

    def _revoke_some(self, lease: Lease, principal: Principal) -> bool:
        """Revoke the next ones in one unit; True if there were none left, or it was cancelled."""
        now = self._clock.ms()

        def unit(session: Session) -> bool:
            operation = _at_work(session, lease, now // 1000)
            if operation is None:
                return True
            found = session.operations.next_items(operation.id, operation.position, _REVOKED + 1)
            items, last = found[:_REVOKED], len(found) <= _REVOKED
            if not items:
                self._close(session, principal, operation, now)
                return True
            parameters = operation.parameters
            change = revocation(
                RevocationReason[parameters["reason"]],
                parameters.get("invalidity_date"),
                operation=operation.id,
            )
            done = revoke_all(
                session,
                principal,
                [item.id for item in items],
                change,
                now,
                crl_at=now // 1000 + (CRL_DELAY_S if last else _CRL_EVERY_S),
            )
            progressed = _progressed(session, operation, items, done, ())
            if last:
                self._close(session, principal, progressed, now)
            return last

        return self._store.write(unit)

    def _decide_some(self, lease: Lease, principal: Principal) -> bool:
        """Decide about the next ones, several at a time; each decision is a unit of its own.

        Killed in between, those that were decided already are found to be so.
        """
        now = self._clock.ms()

        def begin(session: Session) -> tuple[Operation, list[Item]] | None:
            operation = _at_work(session, lease, now // 1000)
            if operation is None:
                return None
            items = session.operations.next_items(operation.id, operation.position, _DECIDED)
            if not items:
                self._close(session, principal, operation, now)
                return None
            return operation, items

        begun = self._store.write(begin)
        if begun is None:
            return True
        operation, items = begun
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = list(pool.map(lambda item: self._decide(principal, operation, item), items))
        failures = [
            replace(item, error=str(outcome))
            for item, outcome in zip(items, outcomes, strict=True)
            if isinstance(outcome, CAError)
        ]

        def record(session: Session) -> None:
            lease.demand(session)
            current = session.operations.get(operation.id)
            assert current is not None
            _progressed(session, current, items, outcomes.count("done"), failures)

        self._store.write(record)
        return False

    def _decide(
        self, principal: Principal, operation: Operation, item: Item
    ) -> Literal["done", "skipped"] | CAError:
        """Decide about one request; an outage is nobody's fault and is raised."""
        try:
            if operation.kind is OperationKind.APPROVE:
                self._decisions.approve(principal, item.id, item.detail)
            else:
                reason = operation.parameters["reason"]
                self._decisions.deny(principal, item.id, reason, item.detail)
        except Unavailable:
            raise
        except CAError as error:
            if self._was_ours(operation, item):
                return "done"
            return "skipped" if error.rule == "approval.once" else error
        return "done"

    def _was_ours(self, operation: Operation, item: Item) -> bool:
        """Whether this operation had decided it before a crash: the audit log knows."""
        wanted = "request.approved" if operation.kind is OperationKind.APPROVE else "request.denied"
        with self._store.read() as session:
            records = session.audit.find(subject_id=item.id, action=wanted, limit=10)
        return any(
            record.event.actor == operation.started_by
            and record.event.details.get("content") == item.detail
            and record.time_ms >= made_ms(operation.id)
            for record in records
        )

    def _close(
        self, session: Session, principal: Principal, operation: Operation, now_ms: int
    ) -> None:
        done = replace(operation, state=OperationState.DONE, finished_at=now_ms // 1000)
        session.operations.update(done)
        session.audit.append([_ended(principal, done)], now_ms)


def _at_work(session: Session, lease: Lease, now: int) -> Operation | None:
    """The operation, marked as running; None if it was cancelled meanwhile."""
    lease.demand(session)
    operation = session.operations.get(lease.job.id)
    if operation is None or operation.state is OperationState.CANCELLED:
        return None
    if operation.state is OperationState.RUNNING:
        return operation
    begun = replace(
        operation,
        state=OperationState.RUNNING,
        started_at=operation.started_at or now,
        finished_at=None,
        failure=None,
    )
    session.operations.update(begun)
    return begun


def _progressed(
    session: Session,
    operation: Operation,
    items: Sequence[Item],
    done: int,
    failures: Sequence[Item],
) -> Operation:
    """Put on record what became of *items*: done, failed, and skipped is the rest."""
    last = items[-1].id
    session.operations.dealt_with(operation.id, last, failures)
    progressed = replace(
        operation,
        done=operation.done + done,
        failed=operation.failed + len(failures),
        skipped=operation.skipped + len(items) - done - len(failures),
        position=last,
    )
    session.operations.update(progressed)
    return progressed


def _ended(principal: Principal, operation: Operation) -> AuditEvent:
    failed = operation.state is OperationState.FAILED
    return event(
        principal,
        "operation.ended",
        operation.id,
        Outcome.FAILURE if failed else Outcome.SUCCESS,
        kind=operation.kind.value,
        state=operation.state.value,
        total=operation.total,
        done=operation.done,
        skipped=operation.skipped,
        failed=operation.failed,
    )


def close_unbegun(store: Store, clock: Clock) -> int:
    """Fail operations whose list never became whole: the service stopped while it was written."""
    now = clock.ms()
    with store.read() as session:
        waiting = session.operations.find(OperationFilter(OperationState.WAITING), None, 1000)
    stale = [
        replace(
            one,
            state=OperationState.FAILED,
            failure="the service stopped before it began; start it again",
            finished_at=now // 1000,
        )
        for one in waiting
        if one.total == 0 and one.created_at < now // 1000 - _UNBEGUN_S
    ]

    def unit(session: Session) -> None:
        for one in stale:
            session.operations.update(one)
        session.audit.append([_ended(SYSTEM, one) for one in stale], now)

    if stale:
        store.write(unit)
    return len(stale)
