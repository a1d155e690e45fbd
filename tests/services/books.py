"""Load on an instance, and the books that must agree afterwards."""

import json
import ssl
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.settings import load
from chancery.signer import journal
from chancery.wire import pem
from services.csr import p256_csr
from services.instance import Instance


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
            except (OSError, ValueError, HTTPException):
                self.stop.wait(0.02)  # killed while we spoke
                continue
            if document["state"] == "issued":
                self.acknowledged[document["serial"]] = document["certificate"]


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
    url = load(instance.directory / "chancery.toml").database.url
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
