"""Whether the jobs process is there, and what monitoring hears of the work."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chancery.adapters.storage import SqlStore
from chancery.app import presence
from chancery.app.presence import Presence
from chancery.domain.errors import Unavailable
from chancery.domain.notification import Event, Notification, Webhook
from chancery.domain.work import Job
from chancery.ports_work import DailyFigure
from chancery.server.metrics import Metrics
from chancery.services.gauges import Family, Gauges
from chancery.services.notifications.plan import Plan

HOLDER = """
import sys
from pathlib import Path
from chancery.app.presence import Presence
here = Presence(Path(sys.argv[1]))
here.take()
print("held", flush=True)
sys.stdin.readline()
here.ready()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "held\n"
        assert Presence(path).missing() == "not running"
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_jobs_process_is_missed_when_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run" / "jobs.lock"
    ours, other = Presence(path), Presence(path)
    assert ours.missing() == "not running"
    with holder(path):
        assert ours.missing() is None
        assert other.missing() is None
    assert ours.missing() is None  # it may be on its way up again
    monkeypatch.setattr(presence, "_GONE_S", 0.0)
    assert ours.missing() == "not running"


def test_a_schedule_that_stands_still_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.lock"
    ours = Presence(path)
    with holder(path):
        monkeypatch.setattr(presence, "_STUCK_S", 0.05)
        time.sleep(0.1)
        assert "has not moved" in (ours.missing() or "")


def asked(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    sent: list[dict[str, object]] = []

    async def ask() -> None:
        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await metrics({"type": "http"}, None, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert sent[0]["status"] == 200
    body = sent[1]["body"]
    assert isinstance(body, bytes)
    return {
        family.name: {tuple(one.labels.values()): one.value for one in family.samples}
        for family in text_string_to_metric_families(body.decode())
    }


def test_monitoring_hears_of_certificates_jobs_and_the_outbox(store: SqlStore) -> None:
    hook = Webhook("crm", "https://example.org")
    told = Notification("n", Event.TEST, None, "x", {}, 1)
    store.write(
        lambda s: (
            s.figures.add([DailyFigure(1, "ca", "tls", 5, 1), DailyFigure(2, "ca", "tls", 2, 0)]),
            s.jobs.add([Job("a", "operation", "", 1, 0, 1), Job("b", "operation", "", 1, 0, 1)]),
            s.notifications.add([told]),
        )
    )
    store.write(lambda s: s.jobs.claim(["operation"], "me", 5, 60, 1))
    gauges = Gauges(store, Plan(mail=True, webhooks=(hook,)), ("operation", "message"))
    found = asked(Metrics(record=gauges.read))
    assert found["chancery_certificates_issued"] == {("ca", "tls"): 7}
    assert found["chancery_certificates_revoked"] == {("ca", "tls"): 1}
    assert found["chancery_jobs"] == {
        ("operation", "waiting"): 1,
        ("operation", "running"): 1,
        ("operation", "failed"): 0,
        ("message", "waiting"): 0,
        ("message", "running"): 0,
        ("message", "failed"): 0,
    }
    assert found["chancery_outbox_messages"] == {("mail",): 0, ("webhook:crm",): 0}


def test_an_outage_of_the_record_costs_only_its_own_numbers() -> None:
    def away() -> list[Family]:
        raise Unavailable("the database is away")

    metrics = Metrics(record=away)
    metrics.count("GET", "/x", 200, time.perf_counter())
    found = asked(metrics)
    assert "chancery_http_requests" in found
    assert "chancery_jobs" not in found
