"""Operations as people see them: preview, start, follow, cancel."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.operation import Item, Operation, OperationKind, OperationState
from chancery.domain.work import Job
from chancery.ports import CertificateFilter, Clock, Entropy, Session, Store
from chancery.ports_work import OperationFilter
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.operations.principals import kept
from chancery.services.operations.running import KIND
from chancery.services.operations.selection import revocable, select, to_plain
from chancery.services.request_access import bounded

_ITEMS: Final = 5_000  # of one unit of work
MAX_DECISIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody looked at before starting: *as_of* in Unix milliseconds."""

    as_of: int
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be revoked.  *parts* are (authority, profile, count); *first* some of them."""

    seen: Seen
    parts: tuple[tuple[str, str, int], ...]
    first: list[CertificateRecord]


class OperationService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    # Revoking what a filter means

    def preview(self, principal: Principal, where: CertificateFilter) -> Preview:
        """Everything that *where* means now and that could be revoked."""
        _may_revoke(principal)
        as_of = self._clock.ms()
        with self._store.read() as session:
            found = select(session, where, as_of)
            records = [session.certificates.get(one) for one in found.first]
        return Preview(
            Seen(as_of, found.count, found.sha256),
            found.parts,
            [record for record in records if record is not None],
        )

    def revoke(
        self,
        principal: Principal,
        where: CertificateFilter,
        reason: RevocationReason,
        seen: Seen,
        *,
        comment: str = "",
        invalidity_date: int | None = None,
    ) -> Operation:
        """Begin to revoke exactly what was seen in a preview.

        What was issued since is left alone; Conflict if anything else changed.
        """
        _may_revoke(principal)
        bounded(comment, "comment")
        _check(reason, seen, invalidity_date, self._clock.ms())
        parameters: dict[str, Any] = {
            "filter": to_plain(where),
            "reason": reason.name,
            "as_of": seen.as_of,
            "sha256": seen.sha256,
        }
        if invalidity_date is not None:
            parameters["invalidity_date"] = invalidity_date
        if comment:
            parameters["comment"] = comment
        with self._store.read() as session:
            found = select(session, where, seen.as_of)
            if (found.count, found.sha256) != (seen.count, seen.sha256):
                raise Conflict(
                    f"what the filter means has changed: {seen.count} certificates were shown,"
                    f" now there are {found.count}",
                    field="filter",
                    rule="operation.changed",
                    remedy="look at the preview again, then start it",
                )
            if not found.count:
                raise BadRequest(
                    "the filter means no certificate that could be revoked",
                    field="filter",
                    rule="operation.empty",
                    remedy="look at the preview; what is revoked or has expired does not count",
                )
            items = (Item(one.id) for one in revocable(session, where, seen.as_of))
            return self._start(principal, OperationKind.REVOKE, parameters, items, found.count)

    # Deciding about many requests

    def decide(
        self,
        principal: Principal,
        requests: Sequence[tuple[str, str]],
        *,
        approve: bool,
        reason: str = "",
    ) -> Operation:
        """Begin to approve or deny *requests*: pairs of an id and the content hash seen."""
        demand(principal, Permission.REQUEST_DECIDE)
        bounded(reason, "reason")
        if not 1 <= len(requests) <= MAX_DECISIONS:
            raise BadRequest(
                f"1 to {MAX_DECISIONS} requests", field="requests", rule="operation.size"
            )
        if len({one for one, _ in requests}) < len(requests):
            raise BadRequest("a request is named twice", field="requests", rule="operation.twice")
        if not approve and not reason.strip():
            raise BadRequest("a denial needs a reason", field="reason", rule="denial.reason")
        kind = OperationKind.APPROVE if approve else OperationKind.DENY
        parameters = {"reason": reason} if reason else {}
        items = [Item(one, content) for one, content in requests]
        return self._start(principal, kind, parameters, items, len(items))

    def _start(
        self,
        principal: Principal,
        kind: OperationKind,
        parameters: Mapping[str, Any],
        items: Iterable[Item],
        total: int,
    ) -> Operation:
        """Put the list on record, bit by bit; only the last unit lets the work begin."""
        now = self._clock.ms()
        operation = Operation(
            id=new_id(now, self._entropy(10)),
            kind=kind,
            state=OperationState.WAITING,
            started_by=principal.name,
            principal=kept(principal),
            parameters=parameters,
            total=0,
            created_at=now // 1000,
        )
        self._store.write(lambda session: session.operations.add(operation))
        rest = iter(items)
        while chunk := list(itertools.islice(rest, _ITEMS)):
            self._store.write(partial(_add_items, operation.id, chunk))
        ready = replace(operation, total=total)

        def begin(session: Session) -> None:
            session.operations.update(ready)
            session.jobs.add([Job(ready.id, KIND, kind.value, now // 1000, 0, now // 1000)])
            told = {key: value for key, value in parameters.items() if key != "as_of"}
            started = event(
                principal, "operation.started", ready.id, kind=kind.value, total=total, **told
            )
            session.audit.append([started], now)

        self._store.write(begin)
        return ready

    # Following

    def find(
        self,
        principal: Principal,
        state: OperationState | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> list[Operation]:
        """Newest first: all for those who read every request, else one's own."""
        demand(principal, Permission.AUTHENTICATED)
        own = None if Permission.REQUEST_READ_ALL in principal.permissions else principal.name
        with self._store.read() as session:
            return session.operations.find(OperationFilter(state, own), cursor, limit)

    def show(self, principal: Principal, operation_id: str) -> Operation:
        demand(principal, Permission.AUTHENTICATED)
        with self._store.read() as session:
            return _visible(session, principal, operation_id)

    def failures(
        self, principal: Principal, operation_id: str, cursor: str | None = None, limit: int = 100
    ) -> list[Item]:
        """What of it failed, and why."""
        demand(principal, Permission.AUTHENTICATED)
        with self._store.read() as session:
            _visible(session, principal, operation_id)
            return session.operations.failures(operation_id, cursor, limit)

    def cancel(self, principal: Principal, operation_id: str) -> Operation:
        """Stop it: what was done stays done, nothing more is begun."""
        demand(principal, Permission.AUTHENTICATED)
        now = self._clock.ms()

        def unit(session: Session) -> Operation:
            found = _visible(session, principal, operation_id)
            if found.started_by != principal.name and not _may_cancel(principal, found):
                raise NotPermitted(
                    "this operation is somebody else's",
                    field="id",
                    rule="operation.own",
                    remedy="ask who started it, or somebody who may do the same",
                )
            if found.ended:
                raise WrongState(
                    f"the operation is {found.state.value}", field="id", rule="operation.ended"
                )
            ended = replace(
                found,
                state=OperationState.CANCELLED,
                cancelled_by=principal.name,
                finished_at=now // 1000,
            )
            session.operations.update(ended)
            told = event(
                principal, "operation.cancelled", found.id, done=found.done, total=found.total
            )
            session.audit.append([told], now)
            return ended

        return self._store.write(unit)


def _add_items(operation_id: str, items: Sequence[Item], session: Session) -> None:
    session.operations.add_items(operation_id, items)


def _may_revoke(principal: Principal) -> None:
    demand(principal, Permission.CERTIFICATE_READ)
    demand(principal, Permission.CERTIFICATE_REVOKE)


def _may_cancel(principal: Principal, operation: Operation) -> bool:
    if operation.kind is OperationKind.REVOKE:
        return Permission.CERTIFICATE_REVOKE in principal.permissions
    return Permission.WORK_MANAGE in principal.permissions


def _check(reason: RevocationReason, seen: Seen, invalidity_date: int | None, now_ms: int) -> None:
    if reason is RevocationReason.certificateHold:
        raise BadRequest(
            "many certificates are revoked for good, or not at all",
            field="reason",
            rule="operation.hold",
            remedy="hold one by one: `chancery certificate hold`",
        )
    if not 0 < seen.as_of <= now_ms:
        raise BadRequest("no preview was made then", field="as_of", rule="operation.preview")
    if invalidity_date is not None and invalidity_date > now_ms // 1000:
        raise BadRequest(
            "the invalidity date lies in the future",
            field="invalidity_date",
            rule="invalidity-date.past",
            remedy="say since when the keys are known or suspected to be bad (RFC 5280 §5.3.2)",
        )


def _visible(session: Session, principal: Principal, operation_id: str) -> Operation:
    found = session.operations.get(operation_id)
    everything = Permission.REQUEST_READ_ALL in principal.permissions
    if found is None or not (everything or found.started_by == principal.name):
        raise NotFound(
            f"there is no operation {operation_id!r} that you may see",
            field="id",
            rule="operation.known",
            remedy="`chancery operation list` shows those there are",
        )
    return found
