"""The schedule: what must happen by itself.  ``python -m chancery.app.jobs CONFIG``.

Every job is idempotent and looks up what is due, so that a missed or doubled
run harms nothing, and any node may do it.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from chancery.app import logs
from chancery.app.office import Office, open_office
from chancery.app.own_certificate import renew_own_certificate
from chancery.domain.errors import CAError
from chancery.ports import Session
from chancery.services.certificates import LINTERS
from chancery.settings import load
from chancery.signer.hardening import die_with_parent

_log = structlog.get_logger("jobs")

_TICK_S = 0.25
ORPHAN_S = 60
"""An intent this old belongs to no request under way: its batch failed."""

(_LINTER,) = LINTERS
_BUSY_PAUSE_S = 0.2
"""Between two certificates for the linter while the machine has other work."""


@dataclass(slots=True)
class Job:
    """Something that is due every *every_s* seconds, measured from its last end."""

    name: str
    every_s: float
    run: Callable[[], object]
    due: float = field(default=0.0)


def jobs_of(office: Office) -> list[Job]:
    return [
        Job("crl", 0.5, office.status.run_due),
        Job(
            "checkpoint",
            office.settings.audit.checkpoint_every.total_seconds(),
            office.audit.checkpoint,
        ),
        Job("expiry", 30, office.changes.expire_due),
        Job("key-disposal", 60, office.key_disposal.run),
        Job("reconciliation", 15, lambda: office.reconciliation.run(older_than_s=ORPHAN_S)),
        Job("responders", 60, office.status.rotate_responders),
        Job("own-certificate", 3600, lambda: renew_own_certificate(office)),
    ]


def chores_of(office: Office, stop: threading.Event) -> list[Job]:
    """What may take its time, in a thread of its own: no CRL waits for it."""
    return [Job("figures", 5, lambda: office.work.counter.run(stop.is_set))]


def run_forever(jobs: list[Job], stop: threading.Event) -> None:
    """Run what is due until *stop*; one job's failure is logged and stops no other."""
    while not stop.wait(_TICK_S):
        for job in jobs:
            if time.monotonic() < job.due or stop.is_set():
                continue
            try:
                job.run()
            except CAError as error:
                _log.warning("job.failed", job=job.name, error=str(error), rule=error.rule)
            except Exception:  # noqa: BLE001 - told in full; the schedule goes on
                _log.exception("job.failed", job=job.name)
            job.due = time.monotonic() + job.every_s


def lint_forever(office: Office, stop: threading.Event) -> None:
    """Let the full linter see what was issued: at leisure while the machine is busy."""
    while not stop.is_set():
        try:
            found = lint_some(office, stop)
        except CAError as error:
            _log.warning("lint.failed", error=str(error))
            found = 0
        if not found:
            stop.wait(2)


def lint_some(office: Office, stop: threading.Event, limit: int = 50) -> int:
    """Lint the oldest certificates not seen yet; return how many."""
    with office.store.read() as session:
        records = session.lint.unlinted(_LINTER, limit)
    for record in records:
        if stop.is_set():
            break
        findings = office.linter(record.der)
        if findings:
            _log.warning("lint.findings", serial=record.serial, findings=findings)
        note = partial(_note, record.id, findings, office.clock.s())
        office.store.write(note)
        if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
            stop.wait(_BUSY_PAUSE_S)
    return len(records)


def _note(certificate_id: str, findings: Sequence[str], now: int, session: Session) -> None:
    session.lint.add(certificate_id, _LINTER, findings, now)


def main() -> int:
    logs.configure("jobs")
    die_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with open_office(load(Path(sys.argv[1]))) as office:
            linting = threading.Thread(target=lint_forever, args=(office, stop), name="lint")
            linting.start()
            chores = (chores_of(office, stop), stop)
            working = threading.Thread(target=run_forever, args=chores, name="chores")
            working.start()
            print("ready", flush=True)
            run_forever(jobs_of(office), stop)
            linting.join(timeout=10)
            working.join(timeout=10)
    except CAError as error:  # those of the jobs were told where they happened
        logs.start_failed(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
