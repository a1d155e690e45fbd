"""kill -9 at random moments of issuance: nothing acknowledged is lost, nothing unrecorded signed.

Each round serves one instance, loads it from several threads, and kills the
worker, the signer, the jobs process or everything at a random moment.  After
the last round the books are compared: what clients were told, what the
database holds, what the signer's journal holds, and the audit log.

With 0 failures in N kills the rate of failure is below 3/N with 95 %
confidence.  ``CHANCERY_KILLS`` sets N: CI runs 200, ``make kill-test`` 10,000.
"""

import json
import os
import random
import signal
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.signer import journal
from chancery.wire import pem
from services.csr import p256_csr
from services.instance import Instance

pytestmark = pytest.mark.fault

KILLS = int(os.environ.get("CHANCERY_KILLS", "200"))
CLIENTS = 4
ROUND = 25  # kills between two comparisons of the books


@dataclass
class Client:
    """Submits without pause; remembers what was acknowledged."""

    instance: Instance
    stop: threading.Event
    acknowledged: dict[str, str] = field(default_factory=dict)  # serial -> certificate PEM
    attempts: int = 0
    refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        context = ssl.create_default_context(cafile=self.instance.facts["ca_bundle"])
        token = Path(self.instance.facts["users"]["requester"]["token_file"]).read_text().strip()
        while not self.stop.is_set():
            body = json.dumps(
                {"profile": "tls-server", "ra": "automatic", "csr": p256_csr("host.example.org")}
            )
            request = urllib.request.Request(
                self.instance.facts["https"] + "/api/v1/requests",
                data=body.encode(),
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/json",
                },
            )
            self.attempts += 1
            try:
                with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                    document: dict[str, Any] = json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code not in (502, 503):
                    self.refused.append(f"{error.code} {error.read()[:300]!r}")
                self.stop.wait(0.02)
                continue
            except (OSError, ValueError):
                self.stop.wait(0.02)  # killed while we spoke
                continue
            if document["state"] == "issued":
                self.acknowledged[document["serial"]] = document["certificate"]


TARGETS = ("chancery.app.worker", "chancery.signer", "chancery.app.jobs", "everything")


def kill_something(instance: Instance, dice: random.Random) -> None:
    target = dice.choice(TARGETS)
    if target == "everything":
        instance.kill()
    elif (pid := instance.child(target)) is not None:
        os.kill(pid, signal.SIGKILL)


def revive(instance: Instance) -> None:
    """Wait until it serves again; start it if nothing is left.

    ``serve`` gives up when a child dies before everything was up the first
    time (all or nothing): then somebody starts it again, as an init system would.
    """
    for _ in range(5):
        if instance.process is not None and instance.process.poll() is not None:
            instance.kill()
        if instance.process is None:
            instance.launch()
        if instance.becomes_ready():
            return
    raise AssertionError(f"it does not come back: {instance.log.read_text()[-3000:]}")


def test_nothing_is_lost_and_nothing_unrecorded(automatic: Instance) -> None:
    seed = int(os.environ.get("CHANCERY_SEED", time.time_ns()))
    dice = random.Random(seed)
    print(f"seed {seed}")
    acknowledged: dict[str, str] = {}
    attempts = kills = 0
    while kills < KILLS:
        stop = threading.Event()
        clients = [Client(automatic, stop) for _ in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        automatic.start()
        for thread in threads:
            thread.start()
        try:
            for _ in range(min(ROUND, KILLS - kills)):
                time.sleep(dice.uniform(0.0, 0.3))
                kill_something(automatic, dice)
                kills += 1
                revive(automatic)
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=30)
        automatic.wait_ready()
        automatic.stop()
        for client in clients:
            assert not client.refused, client.refused[:3]
            acknowledged |= client.acknowledged
            attempts += client.attempts
        compare_books(automatic, acknowledged)
    print(f"{kills} kills, {attempts} attempts, {len(acknowledged)} acknowledged")
    assert len(acknowledged) > kills / 4, "the load was too light to prove anything"


def compare_books(instance: Instance, acknowledged: dict[str, str]) -> None:
    """Clients, database, journal and audit log must tell one story."""
    recorded, abandoned, open_intents = database(instance)
    lost = [s for s in acknowledged if recorded.get(s) != acknowledged[s].strip()]
    assert not lost, f"acknowledged but lost: {lost[:3]}"
    signed = {
        entry.serial
        for entry in journal.read(instance.directory / "journal")
        if entry.operation is journal.Operation.CERTIFICATE
    }
    unrecorded = signed - recorded.keys() - open_intents
    assert not unrecorded, f"signed but not on record: {sorted(unrecorded)[:3]}"
    assert not signed & abandoned, "abandoned, yet signed"
    unsigned = recorded.keys() - signed
    assert len(unsigned) <= 2, f"on record, yet never signed: {sorted(unsigned)[:3]}"
    report = instance.json("audit", "verify", str(instance.directory))
    assert report["ok"], report["findings"][:3]


def database(instance: Instance) -> tuple[dict[str, str], set[str], set[str]]:
    """Certificates by serial (PEM), abandoned serials, serials of open intents."""
    url = (instance.directory / "secrets" / "database-url").read_text().strip()
    store = open_store(url, clock=SystemClock())
    try:
        with store.read() as session:
            recorded = {
                record.serial: pem.encode("CERTIFICATE", record.der).strip()
                for record in session.certificates.iterate()
            }
            open_intents = {intent.serial for intent in session.certificates.intents()}
            abandoned = {
                record.event.details["serial"]
                for record in session.audit.find(action="certificate.abandoned", limit=100_000)
            }
    finally:
        store.close()
    return recorded, abandoned, open_intents
