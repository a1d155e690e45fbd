"""OCSP answers from memory: signed before they are asked for, or in batches while they are.

The event loop asks and never waits: an answer that is at hand is returned,
every other comes later, from one of a few threads that take all that waits,
read the record once and have the signer sign once.  Whatever is unusual is
not for this place.

An answer is handed out only while the record is known to say the same.  On one
machine a counter tells of every change at once: what is asked for after a
revocation was answered is not answered before that was read.  Of other nodes
a watcher hears, who reads every WATCH_S what changed and has what it touches
signed anew.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import CAError
from chancery.domain.status import CertificateKey, Standing
from chancery.ports import Clock, KeyVault, Store
from chancery.services.status.composing import Moment, Spans, cert_status
from chancery.services.status.issuer_index import FRESH_S, Issuer, IssuerIndex
from chancery.services.status.kept import KeptAnswer, Memory
from chancery.services.status.responder import ResponderSource
from chancery.wire.ocsp_usual import UsualRequest

_log = logging.getLogger(__name__)

WATCH_S: Final = 0.2
"""Seconds between two looks at what changed elsewhere: it shows well within one second."""

BLIND_S: Final = 300.0
"""Seconds for which kept answers serve while the record is away: as long as HTTP caches may."""

_BATCH: Final = 64  # answers signed in one call: more only makes the first of them wait
_THREADS: Final = 1  # what comes meanwhile is the next batch: more threads make smaller ones
_WAITING: Final = 4_096  # requests that may wait; more are left to the slow road, which is bounded
_DUE_S: Final = 1.0  # seconds between two looks at what must be signed anew
_DUE_AT_ONCE: Final = 512

Then = Callable[[KeptAnswer | None], None]
"""Called with the answer; None: ask on the slow road."""

Deliver = Callable[[list[tuple[Then, KeptAnswer | None]]], None]
"""Takes what a batch brought to whoever asked, from one of our threads."""


def never_moved() -> int:
    """Where no counter tells of changes: the watcher does."""
    return 0


@dataclass(slots=True)
class _Job:
    issuer: Issuer
    cert_id: bytes
    key: CertificateKey
    nonce: bytes | None
    then: Then | None  # None: nobody waits, it is signed ahead


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
        """*moved* grows with every change of a status on this machine, once it is durable."""
        self._store = store
        self._vault = vault
        self._clock = clock
        self._index = index
        self._responders = responders
        self._lifetime_s = spans.lifetime_s
        self._reuse_s = spans.reuse_s
        self._memory = Memory()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._deliver: Deliver = _at_once
        self._moved = moved
        self._caught_up = -1  # what *moved* was when the changes were read last
        self._looking = threading.Lock()
        self._watched = float("-inf")
        self.signed = 0
        """Answers signed since the start."""

    def open(self, deliver: Deliver) -> None:
        """Begin to answer; call in the process that will ask, after any fork."""
        self._deliver = deliver
        run = [threading.Thread(target=self._watch, name="ocsp-watch", daemon=True)]
        run += [
            threading.Thread(target=self._run, name=f"ocsp-sign-{n}", daemon=True)
            for n in range(_THREADS)
        ]
        for thread in run:
            thread.start()
        self._threads = run

    def close(self) -> None:
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(5)

    @property
    def sees(self) -> bool:
        """Whether the record was looked at lately: if not, nothing kept may be handed out."""
        return time.monotonic() - self._watched < BLIND_S

    @property
    def current(self) -> bool:
        """Whether what is kept may be handed out now."""
        return self._moved() == self._caught_up and self.sees

    def ask(self, name: str, request: UsualRequest, then: Then) -> KeptAnswer | bool:
        """The answer; True: *then* is called later; False: ask on the slow road.

        *name* is an authority's, or empty for whichever is meant.
        """
        issuer = self._index.latest.by_octets.get(request.issuer)
        if issuer is None or not self.sees or (name and name != issuer.authority.name):
            return False
        key = (issuer.authority.name, request.serial)
        if request.nonce is None and self._moved() == self._caught_up:
            kept = self._memory.answer(key, request.cert_id)
            if kept is not None and kept.serves(self._clock.s()):
                return kept
        if self._jobs.qsize() > _WAITING:
            return False
        self._jobs.put(_Job(issuer, request.cert_id, key, request.nonce, then))
        return True

    # -- the threads that sign --

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs: list[_Job] = [first]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < _BATCH:
                    following = self._jobs.get_nowait()
                    if following is None:
                        self._jobs.put(None)  # for whoever comes next
                        break
                    jobs.append(following)
            try:
                self._catch_up()
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

    def _signed(self, jobs: Sequence[_Job]) -> list[KeptAnswer | None]:
        answers = [self._at_hand(job) for job in jobs]
        statuses = self._statuses(jobs)
        due = [n for n, answer in enumerate(answers) if answer is None]
        for issuer in {id(jobs[n].issuer): jobs[n].issuer for n in due}.values():
            numbers = [n for n in due if jobs[n].issuer is issuer]
            responder = self._responders.responder(issuer.authority, issuer.key)
            moment = Moment.of(responder, issuer.policy, self._clock.s(), self._lifetime_s)
            datas = [
                moment.data([(jobs[n].cert_id, statuses[n][0])], jobs[n].nonce) for n in numbers
            ]
            signatures = self._vault.sign_ocsp_all(responder.key_id, responder.algorithm, datas)
            for n, data, signature in zip(numbers, datas, signatures, strict=True):
                octets = moment.octets(data, signature)
                answers[n] = self._keep(jobs[n], moment, octets, statuses[n][1])
        self.signed += len(due)
        return answers

    def _at_hand(self, job: _Job) -> KeptAnswer | None:
        """What was signed while this waited, for somebody else who asked the same."""
        if job.nonce is not None or job.then is None:
            return None
        kept = self._memory.answer(job.key, job.cert_id)
        return kept if kept is not None and kept.serves(self._clock.s()) else None

    def _keep(self, job: _Job, moment: Moment, octets: bytes, as_of: int | None) -> KeptAnswer:
        """*as_of* None: for this once, since anything may become of the serial."""
        until = min(moment.now + self._reuse_s, moment.next_update)
        kept = KeptAnswer(octets, moment.now, moment.next_update, until)
        if job.nonce is not None or as_of is None:
            kept.live = False  # for this once
        else:
            self._memory.keep(job.key, job.cert_id, kept, as_of)
        return kept

    def _statuses(self, jobs: Sequence[_Job]) -> list[tuple[bytes, int | None]]:
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

    def _told(self, job: _Job, standing: Standing | None, as_of: int) -> tuple[bytes, int | None]:
        status = cert_status(standing, job.issuer)
        if standing is None or not standing.settled:
            return status, None
        self._memory.note(job.key, status, as_of)
        return status, as_of

    # -- the watcher --

    def _watch(self) -> None:
        due_at = index_at = 0.0
        while True:
            try:
                now = time.monotonic()
                if now >= index_at:
                    self._index.refresh()
                    index_at = now + FRESH_S
                self._look()
                self._watched = now
                if now >= due_at:
                    self._ahead(self._memory.due(self._clock.s(), _DUE_AT_ONCE))
                    due_at = now + _DUE_S
            except CAError as error:
                _log.warning("the record does not say what changed: %s", error)
            except Exception:  # noqa: BLE001 - told in full; what is kept ends after BLIND_S
                _log.exception("the watch over changes of status failed")
            if self._stop.wait(WATCH_S):
                return

    def _catch_up(self) -> None:
        """Hear of what changed on this machine before any more is said."""
        if self._moved() == self._caught_up:
            return
        try:
            self._look()
        except CAError as error:
            # What is kept serves on for BLIND_S, as it does whenever the record is away.
            self._caught_up = self._moved()
            _log.warning("the record does not say what changed: %s", error)

    def _look(self) -> None:
        with self._looking:  # a later moment must not be followed by an earlier one
            moved = self._moved()  # before the record: what is counted by now is in it
            self._read_changes()
            self._caught_up = moved

    def _read_changes(self) -> None:
        issuers, since = self._index.latest, self._memory.as_of
        with self._store.read() as session:
            if not since:
                self._memory.clear(session.statuses.as_of())
                return
            changes = session.statuses.changes(issuers.names, since)
        if changes.changed is None:
            self._memory.clear(changes.as_of)
        else:
            # Taken out before anybody is told of the new moment, and signed anew at once.
            self._ahead(self._memory.changed(changes.changed, changes.as_of))

    def _ahead(self, wanted: Iterable[tuple[CertificateKey, bytes]]) -> None:
        issuers = self._index.latest.by_octets
        for key, cert_id in wanted:
            issuer = issuers.get(_less_serial(cert_id))
            if issuer is not None:
                self._jobs.put(_Job(issuer, cert_id, key, None, None))


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
