"""One attempt to enrol is one transaction: begun once, found again by whoever repeats it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.certificate import CertificateRecord
from chancery.domain.door import Door
from chancery.domain.enrolment import Credential, CredentialState, Transaction
from chancery.domain.errors import Conflict, NotPermitted
from chancery.domain.ids import new_id
from chancery.domain.names import GeneralName
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.audit import event
from chancery.services.enrolment.binding import hold
from chancery.services.enrolment.credential_rules import refused
from chancery.services.rehearsal import Together
from chancery.wire.pkcs10 import CertificationRequest

_KEPT_S: Final = 365 * 86_400
"""Longer than anybody waits for an approval, or repeats a message."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a door understood.

    *who* names the device in records, *transaction* is how its client numbers
    this attempt.  Exactly one of *csr* and *server_key* is given, as in a
    ``Submission``.  *credential* has been authenticated by the door; what it
    is bound to is checked here, and its use spent with the transaction.
    *renews* is a certificate whose holder is at the door.  *vouched*: an
    authority that the door trusts saw the CSR's key used.  *data* is kept with
    the transaction.
    """

    who: str
    origin: str
    transaction: str
    csr: bytes | None = None
    server_key: str | None = None
    subject: tuple[tuple[str, str], ...] = ()
    names: tuple[GeneralName, ...] = ()
    profile: str | None = None
    days: int | None = None
    credential: Credential | None = None
    renews: CertificateRecord | None = None
    vouched: bool = False
    data: Mapping[str, object] = field(default_factory=dict)


class Transactions:
    """Finds them again, and records new ones."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    def find(
        self, door: Door, asked: Enrolment, csr: CertificationRequest | None
    ) -> tuple[Transaction, bool]:
        """The attempt, and whether it is on record already.

        Conflict if the client numbered another key or request so before.
        """
        now = self._clock.ms()
        wanted = Transaction(
            door=door.name,
            id=asked.transaction,
            key_sha256=csr.key_sha256 if csr is not None else "",
            request_sha256=hashlib.sha256(csr.der).hexdigest() if csr is not None else "",
            request_id=new_id(now, self._entropy(10)),
            credential_id=asked.credential.id if asked.credential is not None else None,
            created_at=now // 1000,
            data=asked.data,
        )
        known = self.known(door, asked.transaction)
        if known is None:
            return wanted, False
        if (known.key_sha256, known.request_sha256) != (wanted.key_sha256, wanted.request_sha256):
            raise Conflict(
                "this transaction is about another key or request",
                field="transaction",
                rule="transaction.same",
                remedy="begin a new transaction",
            )
        return known, True

    def known(self, door: Door, transaction_id: str) -> Transaction | None:
        with self._store.read() as session:
            return session.enrolments.transaction(door.name, transaction_id)

    def recording(self, door: Door, asked: Enrolment, wanted: Transaction) -> Together:
        """Put the attempt on record and spend its credential, in the commit of the request."""

        def together(session: Session) -> list[AuditEvent]:
            session.enrolments.add_transaction(wanted)
            if asked.credential is None:
                return []
            if not session.enrolments.spend(asked.credential.id, wanted.created_at):
                raise refused()
            principal = door.principal(asked.who, asked.origin)
            request = wanted.request_id
            return [
                event(
                    principal,
                    "credential.spent",
                    asked.credential.id,
                    door=door.name,
                    request=request,
                )
            ]

        return together

    def forget_old(self) -> int:
        """Drop transactions so old that nobody repeats them; return how many (the scheduler)."""
        before = self._clock.s() - _KEPT_S
        return self._store.write(
            lambda session: session.enrolments.forget_transactions(before, 500)
        )

    def hold(
        self,
        door: Door,
        asked: Enrolment,
        csr: CertificationRequest | None,
        profile: str,
    ) -> None:
        """Hold the request against the binding; whoever asks for more has burnt the credential."""
        credential = asked.credential
        if credential is None:
            return
        try:
            hold(
                credential.binding,
                csr=csr,
                subject=asked.subject,
                names=asked.names,
                server_key=asked.server_key,
                profile=profile,
            )
        except NotPermitted as error:
            self._burn(door, asked, credential, error)
            raise

    def _burn(
        self, door: Door, asked: Enrolment, credential: Credential, error: NotPermitted
    ) -> None:
        """One that may be used many times is not lost by one mistake; a failure counts."""
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if credential.uses_left == 1 and credential.state is CredentialState.OPEN:
                session.enrolments.set_credential_state(credential.id, CredentialState.LOCKED, now)
            else:
                session.enrolments.failed(credential.id)
            misused = event(
                door.principal(asked.who, asked.origin),
                "credential.misused",
                credential.id,
                Outcome.FAILURE,
                door=door.name,
                field=error.field,
                why=str(error),
            )
            session.audit.append([misused], now)

        self._store.write(unit)
