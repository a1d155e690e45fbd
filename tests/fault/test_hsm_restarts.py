"""A signer with keys on a token, ended again and again while it signs.

``make hsm-test`` does it 500 times.  After each end: what was answered is on
record and verifies, nothing was signed twice, the token still takes the PIN.
"""

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import Unavailable
from chancery.domain.keys import KeyPurpose
from chancery.signer.client import SignerClient
from chancery.signer.journal import Operation
from chancery.signer.journal_format import read
from chancery.signer.keypair import verifier
from support import signing
from support.softhsm import MODULE, SoftHsm

pytestmark = pytest.mark.fault

RESTARTS = int(os.environ.get("CHANCERY_HSM_RESTARTS", "20"))
THREADS = 4
BATCH = 4


class House:
    """A signer, its token, and everything it ever answered: serial -> (tbs, signature)."""

    def __init__(self, home: Path) -> None:
        self.hsm = SoftHsm.create(home / "hsm")
        pin = self.hsm.add("hsm")
        os.environ["SOFTHSM2_CONF"] = self.hsm.environment["SOFTHSM2_CONF"]
        self.token = json.dumps(
            {"name": "hsm", "module": str(MODULE), "token": "hsm", "pin_file": str(pin)}
        )
        self.process = signing.SignerProcess.create(home / "signer")
        self.answered: dict[str, tuple[bytes, bytes]] = {}
        self.lock = threading.Lock()

    def load(self, stop: threading.Event) -> None:
        """Ask for certificates until the signer goes."""
        client = SignerClient(self.process.home / "run" / "signer.sock")
        while not stop.is_set():
            made = [signing.leaf(signing.name("Token CA")) for _ in range(BATCH)]
            orders = [signing.order("token-ca", tbs) for tbs in made]
            try:
                answers = client.sign_certificates(orders)
            except Unavailable:
                break
            with self.lock:
                for order, answer in zip(orders, answers, strict=True):
                    if isinstance(answer, bytes):
                        self.answered[order.serial] = (order.tbs, answer)
        client.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    before = os.environ.get("SOFTHSM2_CONF")
    made = House(tmp_path)
    yield made
    if made.process.process is not None:
        made.process.kill()
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def test_restarts_under_load(house: House) -> None:
    house.process.start("--token", house.token)
    keys = house.process.client()
    info = keys.generate("token-ca", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY, vault="hsm")
    tbs = signing.ca_tbs("Token CA", "Token CA", info.spki)
    algorithm = SignatureAlgorithm.ECDSA_SHA256
    made = keys.sign_ca_certificate("token-ca", algorithm, tbs, signing.authorise(tbs))
    keys.bind("token-ca", signing.certificate(tbs, algorithm, made))
    house.process.stop()
    chance = random.Random(4)
    answered = 0
    for number in range(RESTARTS):
        house.process.start("--token", house.token)
        stop = threading.Event()
        threads = [threading.Thread(target=house.load, args=(stop,)) for _ in range(THREADS)]
        for one in threads:
            one.start()
        time.sleep(chance.uniform(0.02, 0.15))
        (house.process.kill if number % 2 else house.process.stop)()
        stop.set()
        for one in threads:
            one.join(20)
        assert len(house.answered) > answered or number % 2, "it signed nothing"
        answered = len(house.answered)
    check = verifier(load_der_public_key(info.spki), algorithm)
    on_record: dict[str, bytes] = {}
    for entry in read(house.process.home / "journal"):
        if entry.operation is Operation.CERTIFICATE:
            assert entry.serial not in on_record
            on_record[entry.serial] = entry.signature
    for serial, (content, signature) in house.answered.items():
        assert on_record[serial] == signature
        check(signature, content)
    assert not (house.process.home / "vault" / "hsm.pin-refused").exists()
    listed = house.hsm.tool("--list-objects", "--type", "privkey")
    assert listed.count("Private Key Object") == 1
