"""kill -9 of the signer while clients sign: what was acknowledged is on record, always."""

import random
import threading
import time
from pathlib import Path

import pytest
import signing as s

from chancery.domain.errors import Unavailable
from chancery.domain.keys import CertificateOrder
from chancery.signer.client import SignerClient
from chancery.signer.journal import Operation, read

pytestmark = pytest.mark.fault

KILLS = 30
CLIENTS = 2


def test_nothing_acknowledged_is_ever_lost(tmp_path: Path) -> None:
    signer = s.SignerProcess.create(tmp_path)
    signer.start()
    client = signer.client()
    s.make_root(client, "root", "Root")
    acknowledged: dict[str, bytes] = {}
    in_doubt: set[str] = set()
    chance = random.Random(7)
    for number in range(KILLS):
        # Made before, so that the kills fall on the signer's work and not on ours.
        parts = [
            [s.order("root", s.leaf(s.name("Root"))) for _ in range(60)] for _ in range(CLIENTS)
        ]
        acknowledged_before = len(acknowledged)
        workers = [
            threading.Thread(target=sign_until_killed, args=(client, part, acknowledged, in_doubt))
            for part in parts
        ]
        for worker in workers:
            worker.start()
        while len(acknowledged) == acknowledged_before and any(w.is_alive() for w in workers):
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.01))
        signer.kill()
        for worker in workers:
            worker.join()
        signer.start()
        check(client, acknowledged, in_doubt, tmp_path / "journal", number)
    assert signer.stop() == 0
    assert len(acknowledged) > KILLS
    assert len(in_doubt) > KILLS, "the kills fell beside the work"


def sign_until_killed(
    client: SignerClient,
    orders: list[CertificateOrder],
    acknowledged: dict[str, bytes],
    in_doubt: set[str],
) -> None:
    for start in range(0, len(orders), 4):
        batch = orders[start : start + 4]
        try:
            answers = client.sign_certificates(batch)
        except Unavailable:
            in_doubt.update(order.serial for order in batch)
            return
        for order, answer in zip(batch, answers, strict=True):
            assert isinstance(answer, bytes)
            acknowledged[order.serial] = answer


def check(
    client: SignerClient,
    acknowledged: dict[str, bytes],
    in_doubt: set[str],
    journal: Path,
    number: int,
) -> None:
    """The chain holds, every acknowledged signature is there, and nothing nobody asked for."""
    recorded = {
        entry.serial: entry.signature
        for entry in read(journal)
        if entry.operation is Operation.CERTIFICATE
    }
    lost = {serial for serial, made in acknowledged.items() if recorded.get(serial) != made}
    assert not lost, f"kill {number} lost {len(lost)}"
    assert set(recorded) <= set(acknowledged) | in_doubt
    newest = list(acknowledged)[-8:]
    found = client.signatures("root", newest)
    assert {serial: found[serial].signature for serial in newest} == {
        serial: acknowledged[serial] for serial in newest
    }
