"""After a crash: what was about to be signed, and what became of it.

Each open intent is settled by the signer's journal, which is fsynced before
any signature leaves the signer.  Signed: the certificate is completed from
intent and journal, byte for byte.  Not signed: people's approvals are not
lost, the order goes out again under the same intent (the signer never signs a
serial twice); a request that nobody had to approve is closed as failed, for
its requester was told so.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from cryptography import x509

from chancery.domain.certificate import Intent
from chancery.domain.errors import CAError, Unavailable
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.domain.keys import CertificateOrder, SignatureOnRecord
from chancery.domain.request import RequestState
from chancery.ports import Clock, Entropy, KeyVault, Page, RequestFilter, Session, Store
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.issuance import Issuance
from chancery.services.issuance_records import certificate_record, close_unsigned, issued_event
from chancery.services.notifications import SILENT, Announcer
from chancery.services.rehearsal import Work
from chancery.wire.tbs import certificate

_log = logging.getLogger(__name__)

_STALE_S = 86_400
"""An unsigned intent older than this stays unsigned: its validity began too long ago."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What start-up found: certificates completed, signed now, and intents closed unsigned."""

    completed: int = 0
    signed: int = 0
    abandoned: int = 0


class Reconciliation:
    """Idempotent: killed half-way, the next run finishes."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        catalogue: Catalogue,
        issuance: Issuance,
        clock: Clock,
        entropy: Entropy,
        announcer: Announcer = SILENT,
    ) -> None:
        self._store = store
        self._vault = vault
        self._catalogue = catalogue
        self._issuance = issuance
        self._clock = clock
        self._entropy = entropy
        self._announcer = announcer

    def run(self, *, older_than_s: int = 0) -> Reconciled:
        """Settle open intents at least *older_than_s* old, and put the outcome on record.

        At start-up every intent is settled; while serving, only those that
        no request under way can still own.
        """
        horizon = self._clock.s() - older_than_s
        with self._store.read() as session:
            # CA and responder certificates have no request; their own services settle theirs.
            intents = [
                intent
                for intent in session.certificates.intents()
                if intent.created_at <= horizon and ":" not in intent.request_id
            ]
        by_key: defaultdict[str, list[Intent]] = defaultdict(list)
        for intent in intents:
            by_key[intent.key_id].append(intent)
        completed = signed = abandoned = 0
        for key_id, group in by_key.items():
            on_record = self._vault.signatures(key_id, [intent.serial for intent in group])
            for intent in group:
                match self._settle(intent, on_record):
                    case "completed":
                        completed += 1
                    case "signed":
                        signed += 1
                    case "abandoned":
                        abandoned += 1
        resumed = self._resume({intent.request_id for intent in intents}, horizon)
        outcome = Reconciled(completed, signed + resumed, abandoned)
        if intents or resumed:
            found = event(
                SYSTEM,
                "service.reconciled",
                "issuance",
                completed=completed,
                signed=signed,
                abandoned=abandoned,
            )
            self._store.write(lambda s: s.audit.append([found], self._clock.ms()))
        return outcome

    def _resume(self, settled: Set[str], horizon: int) -> int:
        """Issue what people approved and nothing became of: the service stopped in between."""
        resumed = 0
        with self._store.read() as session:
            where = RequestFilter(state=RequestState.APPROVED)
            approved = session.requests.find(where, Page(limit=1000))
            busy = {intent.request_id for intent in session.certificates.intents()} | settled
            left = [
                (
                    request,
                    _approvers(session, request.id),
                )
                for request in approved
                if request.id not in busy and (request.decided_at or request.created_at) <= horizon
            ]
        for request, approvers in left:
            try:
                self._issuance.enqueue(Work(SYSTEM, request, approvers)).result()
                resumed += 1
            except CAError as error:
                _log.warning("request %s was approved and is not issued: %s", request.id, error)
        return resumed

    def _settle(self, intent: Intent, on_record: Mapping[str, SignatureOnRecord]) -> str:
        known = on_record.get(intent.serial)
        digest = hashlib.sha256(intent.tbs).hexdigest()
        if known is not None and known.tbs_sha256 == digest:
            self._complete(intent, known.signature)
            return "completed"
        with self._store.read() as session:
            approvers = _approvers(session, intent.request_id)
        if not approvers or intent.created_at < self._clock.s() - _STALE_S:
            self._abandon(intent, "the service stopped before it was signed; submit it again")
            return "abandoned"
        signature = self._sign(intent, approvers, digest)
        if isinstance(signature, Unavailable):
            return "waiting"  # for the vault of its key: the next run asks again
        if isinstance(signature, CAError):
            self._abandon(intent, str(signature))
            return "abandoned"
        self._complete(intent, signature)
        return "signed"

    def _sign(self, intent: Intent, approvers: Sequence[str], digest: str) -> bytes | CAError:
        authority = self._catalogue.authority(intent.authority)
        order = CertificateOrder(
            key_id=intent.key_id,
            algorithm=authority.signature_algorithm,
            tbs=intent.tbs,
            intent_id=intent.id,
            serial=intent.serial,
            tbs_sha256=digest,
            approvers=tuple(approvers),
        )
        return self._vault.sign_certificates([order])[0]

    def _complete(self, intent: Intent, signature: bytes) -> None:
        algorithm = self._catalogue.authority(intent.authority).signature_algorithm
        der = certificate(intent.tbs, algorithm, signature)
        parsed = x509.load_der_x509_certificate(der)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            request = session.requests.get(intent.request_id)
            if request is None:
                raise LookupError(f"intent {intent.id} has no request {intent.request_id}")
            record = certificate_record(
                request,
                der,
                validity=(
                    int(parsed.not_valid_before_utc.timestamp()),
                    int(parsed.not_valid_after_utc.timestamp()),
                ),
                certificate_id=new_id(now, self._entropy(10)),
                issued_at=now // 1000,
            )
            session.certificates.issue([record], [intent.id])
            session.requests.issued([(request.id, record.id)])
            session.audit.append([issued_event(SYSTEM, record)], now)
            self._announcer.issued(session, [(request, record)])

        self._store.write(unit)

    def _abandon(self, intent: Intent, why: str) -> None:
        now = self._clock.ms()
        self._store.write(lambda session: close_unsigned(session, intent, why, now))


def _approvers(session: Session, request_id: str) -> tuple[str, ...]:
    return tuple(sorted({a.approver for a in session.requests.approvals(request_id)}))
