"""Server time of the console's pages over a large record: ``make bench-pages``.

Fills an instance with copies of a certificate that it really issued, each with
names, key and serial of its own, then asks for every page that lists or counts.
The ratio is to a page that reads nothing (the account's own page).
"""

import argparse
import hashlib
import re
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from chancery.domain.ids import new_id
from services.csr import p256_csr
from services.instance import Instance

_CHUNK = 20_000
_REVOKE = (
    "INSERT INTO revocation (authority, serial, certificate_id, status, revoked_at, reason,"
    " invalidity_date, not_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_DAY_S = 86_400


def fill(database: Path, count: int) -> None:
    """Write *count* certificates, one in twenty of them revoked, over the last 400 days."""
    link = sqlite3.connect(database)
    link.execute("PRAGMA synchronous = OFF")
    link.execute("PRAGMA cache_size = -400000")
    table = link.execute("SELECT * FROM certificate WHERE profile = 'tls-server' ORDER BY id DESC")
    columns = [column[0] for column in table.description]
    original = dict(zip(columns, table.fetchone(), strict=True))
    marks = ", ".join("?" * len(columns))
    now = int(time.time())
    for start in range(0, count, _CHUNK):
        rows = [_copy(original, n, count, now) for n in range(start, min(start + _CHUNK, count))]
        names = [(f"dns:host-{n}.example.org", row["id"]) for n, row in enumerate(rows, start)]
        gone = [
            (r["authority"], r["serial"], r["id"], "revoked", r["issued_at"], 4, None, r["not_after"])
            for r in rows[::20]
        ]  # fmt: skip
        with link:
            link.executemany(
                f"INSERT INTO certificate VALUES ({marks})", (tuple(r.values()) for r in rows)
            )
            link.executemany("INSERT INTO certificate_name VALUES (?, ?)", names)
            link.executemany(_REVOKE, gone)
        print(f"\r{start + len(rows):9,d} certificates", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    link.execute("PRAGMA optimize")
    link.close()


def _copy(original: dict[str, Any], n: int, count: int, now: int) -> dict[str, Any]:
    seed = hashlib.sha256(b"%d" % n)
    issued = now - 400 * _DAY_S + n * 400 * _DAY_S // count
    return original | {
        "id": new_id(issued * 1000, seed.digest()),
        "serial": f"{issued:x}{seed.hexdigest()[:32]}",
        "subject": f"CN=host-{n}.example.org",
        "names": original["names"].replace("pattern.example.org", f"host-{n}.example.org"),
        "not_before": issued,
        "not_after": issued + 398 * _DAY_S,
        "key_sha256": seed.hexdigest(),
        "sha256": hashlib.sha256(seed.digest()).hexdigest(),
        "request_id": new_id(issued * 1000, seed.digest()[::-1]),
        "issued_at": issued,
        "intent_id": new_id(issued * 1000, seed.digest()[1:]),
    }


def signed_in(instance: Instance, user: str) -> httpx2.Client:
    """Return a browser of *user*."""
    client = httpx2.Client(base_url=instance.facts["https"], verify=instance.facts["ca_bundle"])
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/console/sign-in").text)
    assert token is not None
    given = {"name": user, "password": instance.facts["users"][user]["password"], "csrf": token[1]}
    origin = {"Origin": instance.facts["https"]}
    assert client.post("/console/sign-in", data=given, headers=origin).status_code == 303
    return client


def pages(count: int) -> Iterator[tuple[str, str, str]]:
    """(what, address, who looks)."""
    middle = count // 2
    serial = hashlib.sha256(b"%d" % middle).hexdigest()
    soon = int(time.time()) + 30 * _DAY_S
    yield "nothing but the frame", "/console/account", "officer1"
    yield "home", "/console", "officer1"
    yield "certificates", "/console/certificates", "officer1"
    yield "by name", f"/console/certificates?q=host-{middle}.example.org", "officer1"
    yield "by beginning of a name", f"/console/certificates?name=host-{middle // 10}*", "officer1"
    yield "by subject", f"/console/certificates?subject=CN=host-{middle}.example.org", "officer1"
    yield (
        "by fingerprint",
        ("/console/certificates?q=" + hashlib.sha256(bytes.fromhex(serial)).hexdigest()),
        "officer1",
    )
    yield "revoked", "/console/certificates?status=revoked", "officer1"
    yield "valid, expiring", f"/console/certificates?status=valid&expires_before={soon}", "officer1"
    yield "of one profile", "/console/certificates?profile=tls-server", "officer1"
    yield "nothing fits", "/console/certificates?q=nobody.example.net", "officer1"
    yield "an authority", "/console/authorities/issuing-ca", "officer1"
    yield "requests", "/console/requests", "officer1"
    yield "audit", "/console/audit", "auditor"


def measure(instance: Instance, count: int, rounds: int) -> None:
    clients = {user: signed_in(instance, user) for user in ("officer1", "auditor")}
    base = 0.0
    for what, address, user in pages(count):
        spent = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            answer = clients[user].get(address)
            spent.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, (address, answer.status_code, answer.text[-800:])
        middle = statistics.median(spent[1:])
        base = base or middle
        print(
            f"{what:26s}{middle:8.1f} ms  {max(spent[1:]):8.1f} at most {middle / base:6.1f} of frame"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        instance = Instance.create(Path(temporary) / "instance")
        with instance.serving():
            instance.automatic_ra("bench")
            csr = Path(temporary) / "pattern.csr"
            csr.write_text(p256_csr("pattern.example.org"))
            words = ("request", "submit", str(csr), "--profile", "tls-server", "--ra", "bench")
            assert instance.json(*words, user="requester")["state"] == "issued"
        began = time.perf_counter()
        fill(instance.directory / "data/chancery.db", options.certificates)
        print(f"filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        with instance.serving():
            time.sleep(3)
            measure(instance, options.certificates, options.rounds)


if __name__ == "__main__":
    main()
