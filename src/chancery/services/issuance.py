"""From approved content to a recorded certificate: lint, intent, signature, record, in that order.

Work that waits at the same moment travels together, and one thread takes it
along: it prepares a batch, puts its intents on record, has it signed, and puts
its certificates on record in the commit that holds the intents of the next.
So a batch costs one durable commit under load, and work that arrives alone
starts at once.  More threads would only take turns: each of them needs the
interpreter, and the other workers keep the machine busy while one waits.
"""

import hashlib
import queue
import threading
from concurrent.futures import Future

from chancery.domain.certificate import CertificateRecord
from chancery.domain.copying import changed
from chancery.domain.errors import CAError, Unavailable
from chancery.domain.ids import new_id
from chancery.domain.keys import CertificateOrder
from chancery.domain.request import CertificateRequest, Note, RequestState
from chancery.ports import Clock, Entropy, KeyVault, Session, Store
from chancery.services.catalogue import Catalogue
from chancery.services.issuance_records import (
    certificate_record,
    close_unsigned,
    fail_approved,
    issued_event,
    refuse_blocked,
    submitted_event,
)
from chancery.services.notifications import SILENT, Announcer
from chancery.services.quotas import count_submission
from chancery.services.rehearsal import Piece, Rehearsal, Submitted, Work
from chancery.services.request_access import forget_key, refuse_duplicates
from chancery.services.uniqueness import SubjectsTaken
from chancery.wire.tbs import certificate

_BATCH = 128

Signed = list[tuple[Piece, CertificateRecord]]


class Issuance:
    """The pipeline.  ``start`` before use; ``close`` finishes what is under way."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        catalogue: Catalogue,
        clock: Clock,
        entropy: Entropy,
        announcer: Announcer = SILENT,
    ) -> None:
        self._store = store
        self._vault = vault
        self._announcer = announcer
        self._catalogue = catalogue
        self._clock = clock
        self._entropy = entropy
        self._rehearsal = Rehearsal(catalogue, clock, entropy, self._give_up)
        self._intake: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="issuance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._intake.put(None)
        self._thread.join(timeout=30)

    def enqueue(self, work: Work) -> "Future[Submitted]":
        self._intake.put(work)
        return work.done

    def _run(self) -> None:
        signed: Signed = []
        more = True
        while more or signed:
            batch, more = _drain(self._intake, wait=not signed) if more else ([], False)
            pieces = self._rehearsal.prepare(batch)
            # Both wait for the disk at once: units that come together share a commit.
            recording = self._record(signed)
            intending = self._put_on_record(pieces)
            self._recorded(recording, signed)
            signed = self._sign(self._intended(intending, pieces))

    # Prepared: on record, before the signer sees it

    def _put_on_record(self, pieces: list[Piece]) -> "Future[None] | None":
        """One durable commit: requests, intents and their audit leaves."""
        fresh = [piece for piece in pieces if piece.work.fresh]
        approved = [piece for piece in pieces if piece.intended]

        def unit(session: Session) -> None:
            # Approved ones too: the key may have been lost while people thought.
            refuse_blocked(session, [piece.request.key_sha256 for piece in pieces])
            if fresh:
                self._record_fresh(session, fresh)
            taken = SubjectsTaken(session, self._clock.s())
            for piece in approved:
                taken.take(piece.request, piece.certain.uniqueness)
            session.certificates.intend([piece.certain.intent for piece in approved])

        return self._store.submit(unit) if pieces else None

    def _intended(self, under_way: "Future[None] | None", pieces: list[Piece]) -> list[Piece]:
        """What may be signed, now that its intent is durable."""
        if under_way is None:
            return []
        if error := under_way.exception():
            return self._one_by_one(pieces, error)
        for piece in pieces:
            if not piece.intended:
                piece.work.done.set_result(Submitted(piece.request, piece.work.code, None))
        return [piece for piece in pieces if piece.intended]

    def _record_fresh(self, session: Session, fresh: list[Piece]) -> None:
        refuse_duplicates(session, [piece.request for piece in fresh])
        session.requests.add([piece.request for piece in fresh])
        events = [submitted_event(piece.work.principal, piece.request) for piece in fresh]
        for piece in fresh:
            if piece.work.together is not None:
                events += piece.work.together(session)
        session.audit.append(events, self._clock.ms())
        self._announcer.waiting(session, [piece.request for piece in fresh if not piece.intended])
        for piece in fresh:
            request = piece.request
            count_submission(session, piece.work.principal, self._catalogue.ra(request.ra), request)
            if piece.work.note:
                note = Note(request.requester, request.created_at, piece.work.note)
                session.requests.add_note(request.id, note)

    def _one_by_one(self, pieces: list[Piece], error: BaseException) -> list[Piece]:
        """One bad piece must not fail the rest: give each a commit of its own."""
        if len(pieces) == 1 or isinstance(error, Unavailable):
            for piece in pieces:
                if piece.work.fresh and not isinstance(error, Unavailable):
                    forget_key(self._vault, piece.request)
                self._give_up(piece.work, error)
            return []
        alone = [([piece], self._put_on_record([piece])) for piece in pieces]
        return [good for one, under_way in alone for good in self._intended(under_way, one)]

    def _give_up(self, work: Work, error: BaseException) -> None:
        """Tell the caller; and where people had approved it, the request failed for good.

        After an outage it stays approved: reconciliation takes it up again.
        """
        request = work.source
        if not isinstance(request, CertificateRequest) or isinstance(error, Unavailable):
            work.done.set_exception(error)
            return
        why = str(error) if isinstance(error, CAError) else "internal error"

        def unit(session: Session) -> None:
            fail_approved(session, request, why, self._clock.ms())

        def told(_: "Future[None]") -> None:
            work.done.set_exception(error)

        self._store.submit(unit).add_done_callback(told)

    # Signed, and on record before it is handed out

    def _sign(self, pieces: list[Piece]) -> "Signed":
        if not pieces:
            return []
        try:
            answers = self._vault.sign_certificates([_order(piece) for piece in pieces])
        except CAError as error:
            # Their intents stay on record: reconciliation asks the signer's journal.
            for piece in pieces:
                piece.work.done.set_exception(error)
            return []
        signed: Signed = []
        for piece, answer in zip(pieces, answers, strict=True):
            if isinstance(answer, Unavailable) and piece.work.approvers:
                # People approved it: it waits for its vault, and reconciliation asks again.
                piece.work.done.set_exception(answer)
            elif isinstance(answer, CAError):
                self._refused(piece, answer)
            else:
                signed.append((piece, self._certificate(piece, answer)))
        return signed

    def _certificate(self, piece: Piece, signature: bytes) -> CertificateRecord:
        intended = piece.certain
        now = self._clock.ms()
        return certificate_record(
            piece.request,
            certificate(
                intended.intent.tbs, intended.template.authority.signature_algorithm, signature
            ),
            validity=intended.validity,
            certificate_id=new_id(now, self._entropy(10)),
            issued_at=now // 1000,
        )

    def _record(self, signed: "Signed") -> "Future[None] | None":
        """One durable commit: certificates, request states and their audit leaves."""

        def unit(session: Session) -> None:
            session.certificates.issue(
                [record for _, record in signed], [p.certain.intent.id for p, _ in signed]
            )
            session.requests.issued([(record.request_id, record.id) for _, record in signed])
            session.audit.append(
                [issued_event(piece.work.principal, record) for piece, record in signed],
                self._clock.ms(),
            )
            self._announcer.issued(session, [(piece.request, record) for piece, record in signed])

        return self._store.submit(unit) if signed else None

    def _recorded(self, under_way: "Future[None] | None", signed: "Signed") -> None:
        """Hand out what is durable."""
        error = under_way.exception() if under_way is not None else None
        for piece, record in signed:
            if error is not None:
                piece.work.done.set_exception(error)
                continue
            request = changed(piece.request, state=RequestState.ISSUED, certificate_id=record.id)
            piece.work.done.set_result(Submitted(request, piece.work.code, record))

    def _refused(self, piece: Piece, error: CAError) -> None:
        """The signer said no: nothing was signed, and the record says so."""
        now = self._clock.ms()

        def unit(session: Session) -> None:
            close_unsigned(session, piece.certain.intent, str(error), now)

        def committed(_: "Future[None]") -> None:
            piece.work.done.set_exception(error)

        self._store.submit(unit).add_done_callback(committed)


def _order(piece: Piece) -> CertificateOrder:
    intended = piece.certain
    return CertificateOrder(
        key_id=intended.intent.key_id,
        algorithm=intended.template.authority.signature_algorithm,
        tbs=intended.intent.tbs,
        intent_id=intended.intent.id,
        serial=intended.intent.serial,
        tbs_sha256=hashlib.sha256(intended.intent.tbs).hexdigest(),
        approvers=piece.work.approvers,
    )


def _drain(source: "queue.SimpleQueue[Work | None]", *, wait: bool) -> tuple[list[Work], bool]:
    """What waits now, at most a batch; False if the end was among it."""
    batch: list[Work] = []
    try:
        while len(batch) < _BATCH:
            work = source.get(block=wait and not batch)
            if work is None:
                return batch, False
            batch.append(work)
    except queue.Empty:
        pass
    return batch, True
