"""The full linter sees everything that was issued: at leisure while the machine is busy."""

import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from chancery.app.office import Office
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import CAError
from chancery.domain.estate import PROFILE as IMPORTED
from chancery.domain.ids import new_id
from chancery.ports import Session
from chancery.services.certificates import LINTERS

_log = structlog.get_logger("jobs")

(_LINTER,) = LINTERS
_BUSY_PAUSE_S: Final = 0.2
"""Between two certificates for the linter while the machine has other work."""
_IDLE_S: Final = 2.0
_LATE_S: Final = 600
"""Seconds between the making of an id and the record of its certificate, at the most, usually."""
_ROUND_S: Final = 6 * 3600
"""Seconds after which the walk begins anew: a certificate may have waited days for approvals."""


class LintWalk:
    """Goes through the record by id, and keeps its place: cheap however much there is.

    Not for several threads.
    """

    def __init__(self, office: Office, stop: threading.Event) -> None:
        self._office = office
        self._stop = stop
        self._after = ""
        self._began = time.monotonic()

    def run(self) -> None:
        """Walk until told to stop."""
        while not self._stop.is_set():
            try:
                more = self.some()
            except CAError as error:
                _log.warning("lint.failed", error=str(error))
                more = False
            if not more:
                self._stop.wait(_IDLE_S)

    def some(self, limit: int = 50) -> bool:
        """Lint the next few; whether there is more to do at once."""
        with self._office.store.read() as session:
            found = session.lint.unlinted(_LINTER, self._after, limit)
        for record in found.records:
            if self._stop.is_set():
                return False
            self._one(record)
        self._after = self._place(found.reached) if found.end else found.reached
        return not found.end

    def _place(self, reached: str) -> str:
        """Where to look next, at the end: a little back, for what was recorded late."""
        if time.monotonic() - self._began >= _ROUND_S:
            self._began = time.monotonic()
            return ""
        return min(reached, new_id(self._office.clock.ms() - _LATE_S * 1000, bytes(10)))

    def _one(self, record: CertificateRecord) -> None:
        findings = self._office.linter(record.der) if record.der else ()
        if findings:  # what others issued is theirs to answer for
            tell = _log.info if record.profile == IMPORTED else _log.warning
            tell("lint.findings", serial=record.serial, findings=findings)
        note = partial(_note, record.id, findings, self._office.clock.s())
        self._office.store.write(note)
        if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
            self._stop.wait(_BUSY_PAUSE_S)


def _note(certificate_id: str, findings: Sequence[str], now: int, session: Session) -> None:
    session.lint.add(certificate_id, _LINTER, findings, now)
