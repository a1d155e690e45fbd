"""From approved content to a recorded certificate: lint, intent, signature, record, in that order.

Work that waits at the same moment travels together, so that intent, signing
and record cost one durable commit a batch.  Work that arrives alone starts at
once.  Two threads make a pipeline: while the signer works on one batch, the
next is prepared.
"""

import hashlib
import queue
import threading
from concurrent.futures import Future
from dataclasses import replace

from chancery.domain.certificate import CertificateRecord
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

_BATCH = 64


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
        self._signing: queue.SimpleQueue[list[Piece] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._prepare_forever, name="issuance-prepare", daemon=True),
            threading.Thread(target=self._sign_forever, name="issuance-sign", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._intake.put(None)
        for thread in self._threads:
            thread.join(timeout=30)

    def enqueue(self, work: Work) -> "Future[Submitted]":
        self._intake.put(work)
        return work.done

    # First thread: prepare, lint, put on record.

    def _prepare_forever(self) -> None:
        while (first := self._intake.get()) is not None:
            batch, stop = _drain(self._intake, first)
            if pieces := self._rehearsal.prepare(batch):
                self._put_on_record(pieces)
            if stop:
                break
        self._signing.put(None)

    def _put_on_record(self, pieces: list[Piece]) -> None:
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

        def committed(future: "Future[None]") -> None:
            if error := future.exception():
                self._one_by_one(pieces, error)
                return
            if approved:
                self._signing.put(approved)
            for piece in pieces:
                if not piece.intended:
                    piece.work.done.set_result(Submitted(piece.request, piece.work.code, None))

        self._store.submit(unit).add_done_callback(committed)

    def _record_fresh(self, session: Session, fresh: list[Piece]) -> None:
        refuse_duplicates(session, [piece.request for piece in fresh])
        session.requests.add([piece.request for piece in fresh])
        events = [submitted_event(piece.work.principal, piece.request) for piece in fresh]
        session.audit.append(events, self._clock.ms())
        self._announcer.waiting(session, [piece.request for piece in fresh if not piece.intended])
        for piece in fresh:
            request = piece.request
            count_submission(session, piece.work.principal, self._catalogue.ra(request.ra), request)
            if piece.work.note:
                note = Note(request.requester, request.created_at, piece.work.note)
                session.requests.add_note(request.id, note)

    def _one_by_one(self, pieces: list[Piece], error: BaseException) -> None:
        """One bad piece must not fail the rest: give each a commit of its own."""
        if len(pieces) == 1 or isinstance(error, Unavailable):
            for piece in pieces:
                if piece.work.fresh and not isinstance(error, Unavailable):
                    forget_key(self._vault, piece.request)
                self._give_up(piece.work, error)
            return
        for piece in pieces:
            self._put_on_record([piece])

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

    # Second thread: sign, record.

    def _sign_forever(self) -> None:
        while (batch := self._signing.get()) is not None:
            while len(batch) < _BATCH * 4:
                try:
                    more = self._signing.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._signing.put(None)
                    break
                batch = batch + more
            self._sign(batch)

    def _sign(self, pieces: list[Piece]) -> None:
        try:
            answers = self._vault.sign_certificates([_order(piece) for piece in pieces])
        except CAError as error:
            # Their intents stay on record: reconciliation asks the signer's journal.
            for piece in pieces:
                piece.work.done.set_exception(error)
            return
        signed: list[tuple[Piece, CertificateRecord]] = []
        for piece, answer in zip(pieces, answers, strict=True):
            if isinstance(answer, Unavailable) and piece.work.approvers:
                # People approved it: it waits for its vault, and reconciliation asks again.
                piece.work.done.set_exception(answer)
            elif isinstance(answer, CAError):
                self._refused(piece, answer)
            else:
                signed.append((piece, self._record(piece, answer)))
        if signed:
            self._record_all(signed)

    def _record(self, piece: Piece, signature: bytes) -> CertificateRecord:
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

    def _record_all(self, signed: list[tuple[Piece, CertificateRecord]]) -> None:
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

        def committed(future: "Future[None]") -> None:
            error = future.exception()
            for piece, record in signed:
                if error is not None:
                    piece.work.done.set_exception(error)
                    continue
                request = replace(
                    piece.request, state=RequestState.ISSUED, certificate_id=record.id
                )
                piece.work.done.set_result(Submitted(request, piece.work.code, record))

        self._store.submit(unit).add_done_callback(committed)

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


def _drain(source: "queue.SimpleQueue[Work | None]", first: Work) -> tuple[list[Work], bool]:
    """What waits now, at most a batch; the flag says that the end was among it."""
    batch = [first]
    while len(batch) < _BATCH:
        try:
            work = source.get_nowait()
        except queue.Empty:
            break
        if work is None:
            return batch, True
        batch.append(work)
    return batch, False
