"""From approved content to a recorded certificate: lint, intent, signature, record, in that order.

Work that waits at the same moment travels together, so that intent, signing
and record cost one durable commit a batch.  Work that arrives alone starts at
once.  Two threads make a pipeline: while the signer works on one batch, the
next is prepared.
"""

import hashlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.dn_profile import Uniqueness
from chancery.domain.errors import CAError, LintFailed, Unavailable, WrongState
from chancery.domain.identity import Principal
from chancery.domain.ids import new_id
from chancery.domain.keys import CertificateOrder
from chancery.domain.request import CertificateRequest, Note, RequestState
from chancery.ports import Clock, Entropy, KeyVault, Session, Store
from chancery.services.catalogue import Catalogue, Template
from chancery.services.issuance_records import (
    certificate_record,
    close_unsigned,
    fail_approved,
    issued_event,
    refuse_blocked,
    submitted_event,
)
from chancery.services.request_access import forget_key, refuse_duplicates
from chancery.services.uniqueness import SubjectsTaken
from chancery.wire.tbs import assemble, certificate
from chancery.wire.twin import twin_signature

Prepare = Callable[[], CertificateRequest]

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Submitted:
    """Where a piece of work ended: *certificate* is None while people must still approve.

    *code* lets an anonymous requester come back; it is shown once and kept only as a hash.
    """

    request: CertificateRequest
    code: str | None
    certificate: CertificateRecord | None


@dataclass(frozen=True, slots=True)
class Work:
    """One request on its way: still to be prepared, or already on record."""

    principal: Principal
    source: "Prepare | CertificateRequest"
    approvers: tuple[str, ...] = ()
    code: str | None = None
    note: str = ""
    done: "Future[Submitted]" = field(default_factory=Future)

    @property
    def fresh(self) -> bool:
        return not isinstance(self.source, CertificateRequest)


@dataclass(frozen=True, slots=True)
class _Intended:
    """Exactly what will be signed, and from which template."""

    intent: Intent
    template: Template
    validity: tuple[int, int]
    uniqueness: Uniqueness


@dataclass(frozen=True, slots=True)
class _Piece:
    """Prepared work.  *intended* is None while people must still approve."""

    work: Work
    request: CertificateRequest
    intended: _Intended | None

    @property
    def certain(self) -> _Intended:
        assert self.intended is not None
        return self.intended


class Issuance:
    """The pipeline.  ``start`` before use; ``close`` finishes what is under way."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        catalogue: Catalogue,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._vault = vault
        self._catalogue = catalogue
        self._clock = clock
        self._entropy = entropy
        self._intake: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._signing: queue.SimpleQueue[list[_Piece] | None] = queue.SimpleQueue()
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
            pieces = [piece for work in batch if (piece := self._prepare(work))]
            if pieces:
                self._put_on_record(pieces)
            if stop:
                break
        self._signing.put(None)

    def _prepare(self, work: Work) -> _Piece | None:
        try:
            source = work.source
            request = source if isinstance(source, CertificateRequest) else source()
            approved = request.state is RequestState.APPROVED
            return _Piece(work, request, self._rehearse(request) if approved else None)
        except Exception as error:  # noqa: BLE001 - the caller of enqueue() gets it, bug or not
            self._give_up(work, error)
            return None

    def _rehearse(self, request: CertificateRequest) -> _Intended:
        """Settle the validity, lint a twin that no key of ours signed, and shape the intent."""
        version = self._catalogue.pinned(request.profile_sha256)
        template = self._catalogue.template(self._catalogue.authority(request.authority), version)
        if not template.fits(request.tbs):
            raise WrongState(
                f"{request.authority} changed its key since this content was fixed",
                field="authority",
                rule="content.bound",
                remedy="edit the request, so that the new content can be approved",
            )
        now = self._clock.ms()
        validity = request.tbs.validity.starting(now // 1000)
        tbs = assemble(request.tbs, *validity)
        algorithm = template.authority.signature_algorithm
        if findings := template.lint(certificate(tbs, algorithm, twin_signature(algorithm))):
            raise LintFailed(
                f"profile {request.profile}: {'; '.join(findings)}",
                field="profile",
                rule="lint",
                remedy="the profile or the request's names must change; nothing was signed",
            )
        intent = Intent(
            id=new_id(now, self._entropy(10)),
            authority=request.authority,
            key_id=template.key_id,
            serial=request.serial,
            tbs=tbs,
            request_id=request.id,
            profile_sha256=request.profile_sha256,
            content_sha256=request.content_sha256,
            created_at=now // 1000,
        )
        uniqueness = self._catalogue.dn_profile(version.profile.dn_profile).uniqueness
        return _Intended(intent, template, validity, uniqueness)

    def _put_on_record(self, pieces: list[_Piece]) -> None:
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

    def _record_fresh(self, session: Session, fresh: list[_Piece]) -> None:
        refuse_duplicates(session, [piece.request for piece in fresh])
        session.requests.add([piece.request for piece in fresh])
        events = [submitted_event(piece.work.principal, piece.request) for piece in fresh]
        session.audit.append(events, self._clock.ms())
        for piece in fresh:
            if piece.work.note:
                request = piece.request
                note = Note(request.requester, request.created_at, piece.work.note)
                session.requests.add_note(request.id, note)

    def _one_by_one(self, pieces: list[_Piece], error: BaseException) -> None:
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

    def _sign(self, pieces: list[_Piece]) -> None:
        try:
            answers = self._vault.sign_certificates([_order(piece) for piece in pieces])
        except CAError as error:
            # Their intents stay on record: reconciliation asks the signer's journal.
            for piece in pieces:
                piece.work.done.set_exception(error)
            return
        signed: list[tuple[_Piece, CertificateRecord]] = []
        for piece, answer in zip(pieces, answers, strict=True):
            if isinstance(answer, CAError):
                self._refused(piece, answer)
            else:
                signed.append((piece, self._record(piece, answer)))
        if signed:
            self._record_all(signed)

    def _record(self, piece: _Piece, signature: bytes) -> CertificateRecord:
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

    def _record_all(self, signed: list[tuple[_Piece, CertificateRecord]]) -> None:
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

    def _refused(self, piece: _Piece, error: CAError) -> None:
        """The signer said no: nothing was signed, and the record says so."""
        now = self._clock.ms()

        def unit(session: Session) -> None:
            close_unsigned(session, piece.certain.intent, str(error), now)

        def committed(_: "Future[None]") -> None:
            piece.work.done.set_exception(error)

        self._store.submit(unit).add_done_callback(committed)


def _order(piece: _Piece) -> CertificateOrder:
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
