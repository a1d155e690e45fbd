"""The schedule: what must happen by itself.  ``python -m chancery.app.jobs CONFIG``.

Every job is idempotent and looks up what is due, so that a missed or doubled
run harms nothing, and any node may do it.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from chancery.app import logs
from chancery.app.custody_events import take_up_events
from chancery.app.doors import look_after_keys
from chancery.app.linting import LintWalk
from chancery.app.office import Office, open_office
from chancery.app.own_certificate import renew_own_certificate
from chancery.app.presence import Presence, presence_file
from chancery.domain.errors import CAError
from chancery.settings import load
from chancery.signer.hardening import die_with_parent

_log = structlog.get_logger("jobs")

_TICK_S = 0.25
ORPHAN_S = 60
"""An intent this old belongs to no request under way: its batch failed."""


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
        Job("crl-files", 5, office.status.catch_up),
        Job("takeover", 5, office.authorities.take_over_due),
        Job("expiry", 30, office.changes.expire_due),
        Job("key-disposal", 60, office.key_disposal.run),
        Job("reconciliation", 15, lambda: office.reconciliation.run(older_than_s=ORPHAN_S)),
        Job("responders", 60, office.status.rotate_responders),
        Job("door-keys", 60, lambda: look_after_keys(office.doors, office.profiles)),
        Job("custody-events", 5, lambda: take_up_events(office)),
        Job("own-certificate", 3600, lambda: renew_own_certificate(office)),
    ]


def chores_of(office: Office, stop: threading.Event) -> list[Job]:
    """What may take its time, in a thread of its own: no CRL waits for it."""
    work = office.work
    return [
        Job("expansion", 0.5, work.expansion.run),
        Job("backups", 30, office.backup_making.due),
        Job("figures", 5, lambda: work.counter.run(stop.is_set)),
        Job("expiring", 600, work.sweeps.expiring),
        Job("authorities", 60, work.sweeps.authorities),
        Job("backup-concerns", 60, work.sweeps.backups),
        Job("outbox", 3600, work.tidy),
        Job("key-rotation", 30, office.keys.rotation.run),
        Job("key-lapse", 300, office.keys.rotation.lapse),
        Job("key-notices", 600, work.sweeps.keys),
        Job("door-transactions", 3600, office.doors.transactions.forget_old),
        Job("sessions", 300, office.identity.sessions.sweep),
        Job("directories", 60, office.identity.directories.review),
    ]


def publication_of(office: Office) -> list[Job]:
    """Copies to other places, which may keep us waiting."""
    return [Job("publication", 1, office.publishing.service.run)]


def watch_of(office: Office) -> list[Job]:
    """A look at what is published: it waits for strangers, too, but for nobody else."""
    given, work = office.settings.publication, office.publishing
    if not given.watch:
        return []
    return [Job("crl-watch", given.watch_every.total_seconds(), work.watchdog.run)]


def run_forever(
    jobs: list[Job], stop: threading.Event, beat: Callable[[], None] = lambda: None
) -> None:
    """Run what is due until *stop*; one job's failure is logged and stops no other."""
    while not stop.wait(_TICK_S):
        beat()
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


def main() -> int:
    logs.configure("jobs")
    die_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with open_office(load(Path(sys.argv[1]))) as office:
            here = Presence(presence_file(office.settings))
            here.take()
            linting = threading.Thread(target=LintWalk(office, stop).run, name="lint")
            linting.start()
            chores = (chores_of(office, stop), stop)
            working = threading.Thread(target=run_forever, args=chores, name="chores")
            working.start()
            outside = [
                threading.Thread(target=run_forever, args=(jobs, stop), name=name, daemon=True)
                for name, jobs in (
                    ("publication", publication_of(office)),
                    ("watch", watch_of(office)),
                )
            ]
            for thread in outside:
                thread.start()
            runner = office.work.runner()
            runner.start()
            print("ready", flush=True)
            here.ready()
            run_forever(jobs_of(office), stop, here.beat)
            runner.stop()
            linting.join(timeout=10)
            working.join(timeout=10)
            for thread in outside:
                thread.join(timeout=10)
    except CAError as error:  # those of the jobs were told where they happened
        logs.start_failed(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
