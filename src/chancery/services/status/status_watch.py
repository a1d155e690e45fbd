"""What changed of anybody's status, and whether what is kept may be handed out.

On one machine a counter tells of every change at once: what is asked for after
a revocation was answered is not answered before that was read.  Of other nodes
a thread hears, which reads every WATCH_S what changed and has what it touches
signed anew.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from chancery.domain.errors import CAError
from chancery.domain.status import CertificateKey
from chancery.ports import Clock, Store
from chancery.services.status.issuer_index import FRESH_S, IssuerIndex
from chancery.services.status.kept import Memory

_log = logging.getLogger(__name__)

WATCH_S: Final = 0.2
"""Seconds between two looks at what changed elsewhere: it shows well within one second."""

BLIND_S: Final = 300.0
"""Seconds for which kept answers serve while the record is away: as long as HTTP caches may."""

_DUE_S: Final = 1.0  # seconds between two looks at what must be signed anew
_DUE_AT_ONCE: Final = 512

Ahead = Callable[[Iterable[tuple[CertificateKey, bytes]]], None]
"""Has answers signed before somebody asks: (certificate, CertID)."""


def never_moved() -> int:
    """Where no counter tells of changes: the watcher does."""
    return 0


class StatusWatch:
    """Keeps *memory* true.  Safe for concurrent use.

    *moved* grows with every change of a status on this machine, once it is durable.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        index: IssuerIndex,
        memory: Memory,
        moved: Callable[[], int] = never_moved,
    ) -> None:
        self._store = store
        self._clock = clock
        self._index = index
        self._memory = memory
        self._moved = moved
        self._caught_up = -1  # what *moved* was when the changes were read last
        self._looking = threading.Lock()
        self._watched = float("-inf")

    @property
    def sees(self) -> bool:
        """Whether the record was looked at lately: if not, nothing kept may be handed out."""
        return time.monotonic() - self._watched < BLIND_S

    @property
    def current(self) -> bool:
        """Whether what is kept may be handed out now."""
        return self._moved() == self._caught_up and self.sees

    def catch_up(self, ahead: Ahead) -> None:
        """Hear of what changed on this machine before any more is said."""
        if self._moved() == self._caught_up:
            return
        try:
            self._look(ahead)
        except CAError as error:
            # What is kept serves on for BLIND_S, as it does whenever the record is away.
            self._caught_up = self._moved()
            _log.warning("the record does not say what changed: %s", error)

    def run(self, stop: threading.Event, ahead: Ahead) -> None:
        """Look until *stop*."""
        due_at = index_at = 0.0
        while True:
            try:
                now = time.monotonic()
                if now >= index_at:
                    self._refresh()
                    index_at = now + FRESH_S
                self._look(ahead)
                self._watched = now
                if now >= due_at:
                    ahead(self._memory.due(self._clock.s(), _DUE_AT_ONCE))
                    due_at = now + _DUE_S
            except CAError as error:
                _log.warning("the record does not say what changed: %s", error)
            except Exception:  # noqa: BLE001 - told in full; what is kept ends after BLIND_S
                _log.exception("the watch over changes of status failed")
            if stop.wait(WATCH_S):
                return

    def _refresh(self) -> None:
        """Look for other keys and policies; what was said by the former ones ends."""
        before = self._index.latest
        self._index.refresh()
        if self._index.latest is not before and self._memory.as_of:
            self._memory.clear(self._memory.as_of)

    def _look(self, ahead: Ahead) -> None:
        with self._looking:  # a later moment must not be followed by an earlier one
            moved = self._moved()  # before the record: what is counted by now is in it
            self._read(ahead)
            self._caught_up = moved

    def _read(self, ahead: Ahead) -> None:
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
            ahead(self._memory.changed(changes.changed, changes.as_of))
