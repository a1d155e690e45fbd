"""What came in by the doors lately, and what was refused: noted in groups, at a constant cost."""

import threading
from typing import Final

import structlog

from chancery.domain.audit import Outcome
from chancery.domain.door import Door, Seen
from chancery.domain.errors import CAError
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.audit import event

_log = structlog.get_logger("doors")

_EVERY_S: Final = 1.0
_ROOM: Final = 1_000
"""Messages in memory; what comes in beyond them is counted."""
_REFUSALS: Final = 200
"""Refusals that are put on record one by one in each round; of more, their number."""
_KEPT_S: Final = 7 * 86_400
_TEXT: Final = 300
GOOD: Final = frozenset({"ok", "pending"})


class Traffic:
    """Notes messages; ``start`` before use, ``close`` writes what is left."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._waiting: list[tuple[Door, Seen]] = []
        self._beyond = 0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._forever, name="traffic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.write()

    def note(
        self, door: Door, operation: str, outcome: str, *, who: str, origin: str, detail: str
    ) -> None:
        """Remember one message; what is no success goes into the audit log as well."""
        now = self._clock.ms()
        seen = Seen(
            id=new_id(now, self._entropy(10)),
            door=door.name,
            at=now // 1000,
            operation=operation[:_TEXT],
            outcome=outcome[:_TEXT],
            who=_clean(who),
            origin=origin,
            detail=_clean(detail),
        )
        with self._lock:
            if len(self._waiting) < _ROOM:
                self._waiting.append((door, seen))
            else:
                self._beyond += 1
        self._wake.set()

    def write(self) -> None:
        """Put what was noted on record."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            beyond, self._beyond = self._beyond, 0
        if not waiting:
            return
        refused = [pair for pair in waiting if pair[1].outcome not in GOOD]
        unsaid = beyond + max(0, len(refused) - _REFUSALS)
        events = [
            event(
                door.principal(seen.who, seen.origin),
                f"{door.protocol.value}.refused",
                seen.door,
                Outcome.FAILURE,
                operation=seen.operation,
                rule=seen.outcome,
                detail=seen.detail,
            )
            for door, seen in refused[:_REFUSALS]
        ]
        if unsaid:
            door = waiting[-1][0]
            flood = event(
                door.principal("", ""), "door.flood", door.name, Outcome.FAILURE, unsaid=unsaid
            )
            events.append(flood)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            session.enrolments.add_seen([seen for _, seen in waiting])
            session.enrolments.forget_seen(now // 1000 - _KEPT_S)
            if events:
                session.audit.append(events, now)

        self._store.write(unit)

    def _forever(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._stop.wait(_EVERY_S)
            self._wake.clear()
            try:
                self.write()
            except CAError as error:  # the record is away: these are lost, and the log says so
                _log.warning("traffic not recorded", error=str(error))


def _clean(text: str) -> str:
    """Text from outside, bounded, and fit for any record."""
    shown = text[:_TEXT].encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in shown)
