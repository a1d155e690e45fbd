"""Certificates whose holders still have to say that they took them (RFC 9810 §5.3.18).

The wait is a job, put on record before the certificate is made: whatever
crashes in between, the certificate is confirmed in time or revoked.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.door import Door
from chancery.domain.enrolment import Transaction
from chancery.domain.errors import Conflict
from chancery.domain.ids import new_id
from chancery.domain.request import RequestState
from chancery.domain.work import Job, RetryPolicy
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.enrolment.desk import EnrolmentDesk
from chancery.services.jobs import Finish, Lease

STATE: Final = "confirmation"
"""The entry of a transaction's data that is kept here."""
UNTIL: Final = "confirm_until"
JOB: Final = "confirmation_job"
REASON: Final = RevocationReason.cessationOfOperation
"""Why a certificate that nobody wants is revoked."""
_SLACK_S: Final = 5
_NOBODY: Final = "nobody confirmed it"
_OPEN: Final = frozenset({RequestState.PENDING, RequestState.APPROVED, RequestState.FAILED})


class Confirmation(StrEnum):
    WAIVED = "waived"  # the client asked to do without
    AWAITED = "awaited"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Confirmations:
    """Also the handler of the jobs that see to it."""

    kind: Final = "certificate.confirmation"
    policy: Final = RetryPolicy(lease_s=60, attempts=20)

    def __init__(self, store: Store, desk: EnrolmentDesk, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._entropy = entropy

    def begun(self, door: Door, transaction_id: str) -> bool:
        """Whether the record knows that transaction."""
        with self._store.read() as session:
            return session.enrolments.transaction(door.name, transaction_id) is not None

    def expect(self, door: Door, transaction_id: str, wait_s: int) -> str:
        """Look after that transaction in *wait_s* seconds, whether or not it comes about.

        Returns what the transaction's data must say under ``JOB``: a client
        that confirms takes the job off the table.
        """
        return self._store.write(
            lambda session: self._plan(session, door.name, transaction_id, wait_s)
        )

    def handed_out(self, door: Door, transaction: Transaction, wait_s: int) -> None:
        """The client has its certificate now, and this long to confirm it."""
        if UNTIL in transaction.data:
            return
        until = self._clock.s() + wait_s

        def unit(session: Session) -> None:
            current = session.enrolments.transaction(door.name, transaction.id)
            if current is None or UNTIL in current.data:
                return
            data = {**current.data, UNTIL: until}
            session.enrolments.set_transaction_data(door.name, transaction.id, data)

        self._store.write(unit)

    def settle(self, door: Door, transaction_id: str, state: Confirmation) -> None:
        """Its client has spoken; Conflict if it had before, or was not to speak at all."""

        def unit(session: Session) -> None:
            self._settle(session, door.name, transaction_id, state)

        self._store.write(unit)

    def run(self, lease: Lease) -> Finish | None:
        """Revoke what was not confirmed; look again where people have not decided yet."""
        payload: Mapping[str, object] = json.loads(lease.job.payload)
        name, transaction_id = str(payload["door"]), str(payload["transaction"])
        wait_s = int(str(payload["wait_s"]))
        with self._store.read() as session:
            door = session.doors.get(name)
            transaction = session.enrolments.transaction(name, transaction_id)
            request = session.requests.get(transaction.request_id) if transaction else None
            record = session.certificates.get((request and request.certificate_id) or "")
        if door is None or transaction is None or request is None:
            return None
        state = transaction.data.get(STATE)
        if state not in (Confirmation.AWAITED, Confirmation.REJECTED):
            return None
        left = self._left(request.state, transaction, wait_s)
        if left and state == Confirmation.AWAITED:
            return lambda session: self._again(session, name, transaction_id, left)
        if record is not None and record.status is CertificateStatus.VALID:
            if state == Confirmation.AWAITED:
                self.settle(door, transaction_id, Confirmation.REJECTED)
            self._desk.revoke(door, record, REASON, _NOBODY, "")
        return None

    def _left(self, state: RequestState, transaction: Transaction, wait_s: int) -> int:
        """Seconds until the client's time is up; 0: it is."""
        until = transaction.data.get(UNTIL)
        if state in _OPEN:
            return wait_s
        return max(0, until - self._clock.s()) if isinstance(until, int) else 0

    def given_up(self, session: Session, job: Job, error: str, now_ms: int) -> None:
        """Whoever looks at failed jobs is told already."""

    def _plan(self, session: Session, door: str, transaction_id: str, wait_s: int) -> str:
        now = self._clock.ms()
        payload = json.dumps({"door": door, "transaction": transaction_id, "wait_s": wait_s})
        due = now // 1000 + wait_s + _SLACK_S
        job = Job(new_id(now, self._entropy(10)), self.kind, payload, due, 0, now // 1000)
        session.jobs.add([job])
        return job.id

    def _again(self, session: Session, door: str, transaction_id: str, wait_s: int) -> None:
        """The job under way ends, and another looks later."""
        job_id = self._plan(session, door, transaction_id, wait_s)
        current = session.enrolments.transaction(door, transaction_id)
        if current is not None:
            data = {**current.data, JOB: job_id}
            session.enrolments.set_transaction_data(door, transaction_id, data)

    def _settle(
        self, session: Session, door: str, transaction_id: str, state: Confirmation
    ) -> None:
        current = session.enrolments.transaction(door, transaction_id)
        if current is None or current.data.get(STATE) != Confirmation.AWAITED:
            raise Conflict(
                "the certificate is confirmed, rejected, or needs no confirmation",
                field="transaction",
                rule="confirmation.settled",
            )
        data = {**current.data, STATE: state.value}
        session.enrolments.set_transaction_data(door, transaction_id, data)
        if state is Confirmation.CONFIRMED:  # what was rejected is looked after until revoked
            session.jobs.drop(str(current.data.get(JOB, "")))
