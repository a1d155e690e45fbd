"""The event loop's own window: answers whose status is known, signed without a thread that waits.

What is asked for in one turn of the loop is composed and sent to the signer
together; what comes meanwhile is the next batch.  Nothing here reads the
record, makes a responder or waits: where that would be needed, *aside* gets
the job.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.status import CertificateKey
from chancery.ports import Clock
from chancery.ports_status import StatusLine
from chancery.services.status.composing import Moment, Spans
from chancery.services.status.issuer_index import Issuer
from chancery.services.status.kept import KeptAnswer, Memory
from chancery.services.status.responder import ResponderSource

_log = logging.getLogger(__name__)

BATCH: Final = 64  # answers signed in one call: more only makes the first of them wait
_UNDER_WAY: Final = 2  # calls: while one is signed, the next travels

Then = Callable[[KeptAnswer | None], None]
"""Called with the answer; None: ask on the slow road."""

Soon = Callable[[Callable[[], None]], object]
"""Has the event loop call something in its next turn."""


@dataclass(slots=True)
class Job:
    """One answer to be signed.  *known*: CertStatus and the moment of its reading, if at hand."""

    issuer: Issuer
    cert_id: bytes
    key: CertificateKey
    nonce: bytes | None
    then: Then | None  # None: nobody waits, it is signed ahead
    known: tuple[bytes, int] | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """What the window needs of an event loop: its next turn, and a line to the signer on it."""

    soon: Soon
    line: StatusLine


class Finishing:
    """From a signature to an answer, kept where that is allowed."""

    def __init__(self, memory: Memory, spans: Spans) -> None:
        self._memory = memory
        self._reuse_s = spans.reuse_s

    def answer(
        self, job: Job, moment: Moment, data: bytes, signature: bytes, as_of: int | None
    ) -> KeptAnswer:
        """*as_of* None: for this once, since anything may become of the serial."""
        until = min(moment.now + self._reuse_s, moment.next_update)
        octets = moment.octets(data, signature)
        kept = KeptAnswer(octets, moment.now, moment.next_update, until)
        if job.nonce is not None or as_of is None:
            kept.live = False  # for this once
        else:
            self._memory.keep(job.key, job.cert_id, kept, as_of)
        return kept


class Window:
    """Belongs to the event loop.  Its jobs have somebody who waits, and a known status."""

    def __init__(
        self,
        loop: Loop,
        clock: Clock,
        responders: ResponderSource,
        spans: Spans,
        finishing: Finishing,
        aside: Callable[[Job], None],
    ) -> None:
        self._soon, self._line = loop.soon, loop.line
        self._clock = clock
        self._responders = responders
        self._lifetime_s = spans.lifetime_s
        self._finish = finishing.answer
        self._aside = aside
        self._waiting: list[Job] = []
        self._called = False
        self._moment: tuple[Issuer, Moment] | None = None
        self.signed = 0
        """Answers since the start."""

    def put(self, job: Job) -> None:
        self._waiting.append(job)
        if not self._called:
            self._called = True
            self._soon(self._flush)

    def _flush(self) -> None:
        self._called = False
        while self._waiting and self._line.busy < _UNDER_WAY:
            batch = self._waiting[:BATCH]
            del self._waiting[:BATCH]
            first = batch[0].issuer
            if any(job.issuer is not first for job in batch):
                for issuer in {id(job.issuer): job.issuer for job in batch}.values():
                    self._send(issuer, [job for job in batch if job.issuer is issuer])
            else:
                self._send(first, batch)

    def _send(self, issuer: Issuer, jobs: Sequence[Job]) -> None:
        moment = self._moment_of(issuer)
        if moment is None:
            self._give(jobs)
            return
        datas = [moment.single(job.cert_id, job.known[0], job.nonce) for job in jobs if job.known]

        def come(signatures: Sequence[bytes] | None) -> None:
            if signatures is None:
                self._give(jobs)
            else:
                self.signed += len(jobs)
                for job, data, signature in zip(jobs, datas, signatures, strict=True):
                    self._tell(job, moment, data, signature)
            if self._waiting:
                self._flush()

        responder = moment.responder
        self._line.sign(responder.key_id, responder.algorithm, datas, come)

    def _tell(self, job: Job, moment: Moment, data: bytes, signature: bytes) -> None:
        assert job.then is not None
        assert job.known is not None
        try:
            job.then(self._finish(job, moment, data, signature, job.known[1]))
        except Exception:  # noqa: BLE001 - the others of the batch have theirs
            _log.exception("an OCSP answer was not sent")

    def _moment_of(self, issuer: Issuer) -> Moment | None:
        """This second's, if a responder is at hand."""
        responder = self._responders.at_hand(issuer.key)
        if responder is None:
            return None
        now = self._clock.s()
        if self._moment is not None:
            whose, moment = self._moment
            if whose is issuer and moment.now == now and moment.responder is responder:
                return moment
        moment = Moment.of(responder, issuer.policy, now, self._lifetime_s)
        self._moment = (issuer, moment)
        return moment

    def _give(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._aside(job)
