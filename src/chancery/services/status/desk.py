"""OCSP answers from memory: signed before they are asked for, or in batches while they are.

The event loop asks and never waits: an answer that is at hand is returned,
every other comes later.  Where the status is known, the loop itself has it
signed (``window``); for the rest a thread takes all that waits, reads the
record once and has the signer sign once.  Whatever is unusual is not for this
place.

An answer is handed out only while the record is known to say the same:
``status_watch``.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chancery.domain.errors import CAError
from chancery.domain.status import CertificateKey, Standing
from chancery.ports import Clock, KeyVault, Store
from chancery.services.status.composing import Moment, Spans, cert_status
from chancery.services.status.issuer_index import IssuerIndex
from chancery.services.status.kept import KeptAnswer, Memory
from chancery.services.status.responder import ResponderSource
from chancery.services.status.status_watch import StatusWatch, never_moved
from chancery.services.status.window import BATCH, Finishing, Job, Loop, Then, Window
from chancery.wire.ocsp_usual import UsualRequest

_log = logging.getLogger(__name__)

_WAITING: Final = 4_096  # requests that may wait; more are left to the slow road, which is bounded

Deliver = Callable[[list[tuple[Then, KeptAnswer | None]]], None]
"""Takes what a batch brought to whoever asked, from our thread."""


class Desk:
    """Answers usual requests.  ``ask`` belongs to one thread, the event loop's."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        index: IssuerIndex,
        responders: ResponderSource,
        spans: Spans,
        *,
        moved: Callable[[], int] = never_moved,
    ) -> None:
        """*moved*: see ``StatusWatch``."""
        self._store = store
        self._vault = vault
        self._clock = clock
        self._index = index
        self._responders = responders
        self._spans = spans
        self._memory = Memory()
        self._finishing = Finishing(self._memory, spans)
        self._watch = StatusWatch(store, clock, index, self._memory, moved)
        self._window: Window | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._deliver: Deliver = _at_once

    def open(self, deliver: Deliver, loop: Loop | None = None) -> None:
        """Begin to answer; call in the process that will ask, after any fork.

        With *loop*, on its thread.
        """
        self._deliver = deliver
        if loop is not None:
            self._window = Window(
                loop, self._clock, self._responders, self._spans, self._finishing, self._jobs.put
            )
        watching = (self._stop, self._ahead)
        self._threads = [
            threading.Thread(target=self._watch.run, args=watching, name="ocsp-watch", daemon=True),
            # What comes meanwhile is the next batch: more threads would make smaller ones.
            threading.Thread(target=self._run, name="ocsp-sign", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        self._jobs.put(None)
        for thread in self._threads:
            thread.join(5)

    @property
    def sees(self) -> bool:
        return self._watch.sees

    @property
    def current(self) -> bool:
        """Whether what is kept may be handed out now."""
        return self._watch.current

    def ask(self, name: str, request: UsualRequest, then: Then) -> KeptAnswer | bool:
        """The answer; True: *then* is called later; False: ask on the slow road.

        *name* is an authority's, or empty for whichever is meant.
        """
        issuer = self._index.latest.by_octets.get(request.issuer)
        if issuer is None or (name and name != issuer.authority.name):
            return False
        key = (issuer.authority.name, request.serial)
        job = Job(issuer, request.cert_id, key, request.nonce, then)
        if self._watch.current:
            if request.nonce is None and (kept := self._kept(job)) is not None:
                return kept
            if self._window is not None and (known := self._memory.status(key)) is not None:
                job.known = known
                self._window.put(job)
                return True
        elif not self._watch.sees:
            return False
        if self._jobs.qsize() > _WAITING:
            return False
        self._jobs.put(job)
        return True

    def _kept(self, job: Job) -> KeptAnswer | None:
        kept = self._memory.answer(job.key, job.cert_id)
        return kept if kept is not None and kept.serves(self._clock.s()) else None

    # -- the thread that reads and signs --

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs: list[Job] = [first]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < BATCH:
                    following = self._jobs.get_nowait()
                    if following is None:
                        self._jobs.put(None)  # for the next turn
                        break
                    jobs.append(following)
            try:
                self._watch.catch_up(self._ahead)
                answers: Sequence[KeptAnswer | None] = self._signed(jobs)
            except CAError as error:
                _log.warning("OCSP answers are not possible now: %s", error)
                answers = [None] * len(jobs)
            except Exception:  # noqa: BLE001 - one bad batch must not end the thread
                _log.exception("a batch of OCSP answers failed")
                answers = [None] * len(jobs)
            told = [
                (job.then, answer)
                for job, answer in zip(jobs, answers, strict=True)
                if job.then is not None
            ]
            if told:
                self._deliver(told)

    def _signed(self, jobs: Sequence[Job]) -> list[KeptAnswer | None]:
        # What was signed while one waited, for somebody else who asked the same, will do.
        answers = [None if job.nonce or job.then is None else self._kept(job) for job in jobs]
        statuses = self._statuses(jobs)
        due = [n for n, answer in enumerate(answers) if answer is None]
        for issuer in {id(jobs[n].issuer): jobs[n].issuer for n in due}.values():
            numbers = [n for n in due if jobs[n].issuer is issuer]
            responder = self._responders.responder(issuer.authority, issuer.key)
            now, lifetime_s = self._clock.s(), self._spans.lifetime_s
            moment = Moment.of(responder, issuer.policy, now, lifetime_s)
            datas = [moment.single(jobs[n].cert_id, statuses[n][0], jobs[n].nonce) for n in numbers]
            signatures = self._vault.sign_ocsp_all(responder.key_id, responder.algorithm, datas)
            for n, data, signature in zip(numbers, datas, signatures, strict=True):
                as_of = statuses[n][1]
                answers[n] = self._finishing.answer(jobs[n], moment, data, signature, as_of)
        return answers

    def _statuses(self, jobs: Sequence[Job]) -> list[tuple[bytes, int | None]]:
        """CertStatus of each, and what it is known as of; None: it is not to be kept."""
        known = [self._memory.status(job.key) for job in jobs]
        missing = [job.key for job, one in zip(jobs, known, strict=True) if one is None]
        found: dict[CertificateKey, Standing] = {}
        as_of = 0
        if missing:
            with self._store.read() as session:
                read = session.statuses.standings(missing)
            found, as_of = dict(read.found), read.as_of
        return [
            one if one is not None else self._told(job, found.get(job.key), as_of)
            for job, one in zip(jobs, known, strict=True)
        ]

    def _told(self, job: Job, standing: Standing | None, as_of: int) -> tuple[bytes, int | None]:
        status = cert_status(standing, job.issuer)
        if standing is None or not standing.settled:
            return status, None
        self._memory.note(job.key, status, as_of)
        return status, as_of

    def _ahead(self, wanted: Iterable[tuple[CertificateKey, bytes]]) -> None:
        issuers = self._index.latest.by_octets
        for key, cert_id in wanted:
            issuer = issuers.get(_less_serial(cert_id))
            if issuer is not None:
                self._jobs.put(Job(issuer, cert_id, key, None, None))


def _less_serial(cert_id: bytes) -> bytes:
    """What comes before the serial of a usual CertID."""
    start = 2 if cert_id[1] < 0x80 else 3
    algorithm = start + 2 + cert_id[start + 1]
    name = algorithm + 2 + cert_id[algorithm + 1]
    key = name + 2 + cert_id[name + 1]
    return cert_id[start:key]


def _at_once(told: list[tuple[Then, KeptAnswer | None]]) -> None:
    for then, answer in told:
        then(answer)
