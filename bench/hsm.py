"""What the signer costs on a token: its signatures/s against the same token driven raw.

    python bench/hsm.py [--seconds 4] [--threads 8]

SoftHSM, one token, one key of each kind.  *raw* is PyKCS11 in one thread,
which signs a digest and does nothing else (it holds the interpreter's lock, so
more threads are not faster; the best of one and of *threads* counts).
*signer* is ``python -m chancery.signer`` behind its socket: orders for
end-entity certificates in batches as issuance sends them, each judged, signed,
verified (unless it says otherwise) and on the fsynced journal.
"""

import argparse
import hashlib
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PyKCS11

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.keys import KeyPurpose
from support import signing
from support.softhsm import MODULE, PIN, SoftHsm

_BATCH = 16
KINDS = (
    ("RSA-2048", KeyAlgorithm.RSA_2048, SignatureAlgorithm.RSA_PKCS1_SHA256),
    ("RSA-3072", KeyAlgorithm.RSA_3072, SignatureAlgorithm.RSA_PKCS1_SHA256),
    ("P-256", KeyAlgorithm.EC_P256, SignatureAlgorithm.ECDSA_SHA256),
)
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def per_second(work: Callable[[], int], threads: int, seconds: float) -> float:
    """Calls of *work* from *threads* for *seconds*; it returns how much it did."""
    done = [0] * threads
    end = time.perf_counter() + seconds

    def run(place: int) -> None:
        while time.perf_counter() < end:
            done[place] += work()

    started = time.perf_counter()
    pool = [threading.Thread(target=run, args=(place,)) for place in range(threads)]
    for one in pool:
        one.start()
    for one in pool:
        one.join()
    return sum(done) / (time.perf_counter() - started)


def raw(label: str, algorithm: SignatureAlgorithm, threads: int, seconds: float) -> float:
    """PyKCS11, one login and a session a thread."""
    library = PyKCS11.PyKCS11Lib()
    library.load(str(MODULE))
    slot = library.getSlotList(tokenPresent=True)[0]
    flags = PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION
    first = library.openSession(slot, flags)
    first.login(PIN)
    rsa = algorithm.value.startswith("rsa")
    mechanism = PyKCS11.Mechanism(PyKCS11.CKM_RSA_PKCS if rsa else PyKCS11.CKM_ECDSA)
    local = threading.local()
    data = b"x" * 700

    def sign() -> int:
        if not hasattr(local, "session"):
            local.session = library.openSession(slot, flags)
            (local.key,) = local.session.findObjects(
                [(PyKCS11.CKA_LABEL, label), (PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)]
            )
        digest = hashlib.sha256(data).digest()
        bytes(local.session.sign(local.key, _DIGEST_INFO + digest if rsa else digest, mechanism))
        return 1

    best = max(per_second(sign, count, seconds) for count in (1, threads))
    first.logout()
    library.closeAllSessions(slot)
    library.unload()
    return best


def through(
    process: signing.SignerProcess,
    label: str,
    algorithm: SignatureAlgorithm,
    subject: str,
    threads: int,
    seconds: float,
) -> float:
    """Batches of orders, from *threads* connections; every certificate is another one."""
    template = signing.with_algorithm(
        signing.leaf(signing.name(subject), serial=(1 << 126) + 1), algorithm
    )
    before = ((1 << 126) + 1).to_bytes(16)
    numbers = itertools.count((1 << 126) + int.from_bytes(os.urandom(8)) * 1_000_000_007)
    client = process.client()

    def sign() -> int:
        orders = []
        for number in itertools.islice(numbers, _BATCH):
            tbs = template.replace(before, number.to_bytes(16), 1)
            orders.append(signing.order(label, tbs, algorithm=algorithm))
        answers = client.sign_certificates(orders)
        wrong = [one for one in answers if not isinstance(one, bytes)]
        if wrong:
            raise SystemExit(f"refused: {wrong[0]}")
        return len(answers)

    sign()
    return per_second(sign, threads, seconds)


def measure(home: Path, seconds: float, threads: int) -> list[dict[str, Any]]:
    hsm = SoftHsm.create(home / "hsm")
    pin = hsm.add("hsm")
    os.environ["SOFTHSM2_CONF"] = hsm.environment["SOFTHSM2_CONF"]
    process = signing.SignerProcess.create(home / "signer")
    found: list[dict[str, Any]] = []

    def start(*, verify: bool) -> None:
        settings = {"name": "hsm", "module": str(MODULE), "token": "hsm", "pin_file": str(pin)}
        process.start("--token", json.dumps(settings | {"verify": verify, "sessions": 4}))

    start(verify=True)
    for name, key, algorithm in KINDS:
        keys = process.client()
        keys.generate(name, key, KeyPurpose.AUTHORITY, vault="hsm")
        spki = keys.key(name).spki
        tbs = signing.ca_tbs(name, name, spki, algorithm=algorithm)
        made = keys.sign_ca_certificate(name, algorithm, tbs, signing.authorise(tbs))
        keys.bind(name, signing.certificate(tbs, algorithm, made))
    process.stop()
    for name, _, algorithm in KINDS:
        bare = raw(name, algorithm, threads, seconds)
        for verify in (True, False):
            start(verify=verify)
            signed = through(process, name, algorithm, name, threads, seconds)
            process.stop()
            found.append({
                "key": name, "verified": verify, "raw": round(bare), "signer": round(signed),
                "ratio": round(signed / bare, 2),
            })  # fmt: skip
            print(json.dumps(found[-1]), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--at-least", type=float, default=0.7, help="ratio for RSA, verified")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        found = measure(Path(home), options.seconds, options.threads)
    slow = [
        one for one in found
        if one["verified"] and one["key"].startswith("RSA") and one["ratio"] < options.at_least
    ]  # fmt: skip
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
