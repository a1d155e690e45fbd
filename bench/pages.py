"""Server time of the console's pages over a large record: ``make bench-pages``.

Fills an instance (``chancery bench generate``), then asks for every page that lists or counts.
The ratio is to a page that reads nothing (the account's own page).
"""

import argparse
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from services.instance import CHANCERY, Instance

_DAY_S = 86_400


def fill(instance: Instance, count: int) -> str:
    """Write *count* certificates, one in twenty of them revoked; return a fingerprint of one."""
    words = ("--certificates", str(count), "--revoked", str(count // 20))
    config = str(instance.directory / "chancery.toml")
    subprocess.run([CHANCERY, "bench", "generate", *words, "--config", config], check=True)
    with sqlite3.connect(instance.directory / "data/chancery.db") as link:
        subject = f"CN=host-{count // 2}.example.org"
        row = link.execute("SELECT sha256 FROM certificate WHERE subject = ?", (subject,))
        return str(row.fetchone()[0])


def signed_in(instance: Instance, user: str) -> httpx2.Client:
    """Return a browser of *user*."""
    client = httpx2.Client(base_url=instance.facts["https"], verify=instance.facts["ca_bundle"])
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/console/sign-in").text)
    assert token is not None
    given = {"name": user, "password": instance.facts["users"][user]["password"], "csrf": token[1]}
    origin = {"Origin": instance.facts["https"]}
    assert client.post("/console/sign-in", data=given, headers=origin).status_code == 303
    return client


def pages(count: int, sha256: str) -> Iterator[tuple[str, str, str]]:
    """(what, address, who looks)."""
    middle = count // 2
    soon = int(time.time()) + 30 * _DAY_S
    yield "nothing but the frame", "/console/account", "officer1"
    yield "home", "/console", "officer1"
    yield "certificates", "/console/certificates", "officer1"
    yield "by name", f"/console/certificates?q=host-{middle}.example.org", "officer1"
    yield "by beginning of a name", f"/console/certificates?name=host-{middle // 10}*", "officer1"
    yield "by subject", f"/console/certificates?subject=CN=host-{middle}.example.org", "officer1"
    yield "by fingerprint", f"/console/certificates?q={sha256}", "officer1"
    yield "revoked", "/console/certificates?status=revoked", "officer1"
    yield "valid, expiring", f"/console/certificates?status=valid&expires_before={soon}", "officer1"
    yield "of one profile", "/console/certificates?profile=tls-server", "officer1"
    yield "nothing fits", "/console/certificates?q=nobody.example.net", "officer1"
    yield "an authority", "/console/authorities/issuing-ca", "officer1"
    yield "requests", "/console/requests", "officer1"
    yield "audit", "/console/audit", "auditor"


def measure(instance: Instance, count: int, sha256: str, rounds: int) -> None:
    clients = {user: signed_in(instance, user) for user in ("officer1", "auditor")}
    base = 0.0
    for what, address, user in pages(count, sha256):
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
        began = time.perf_counter()
        sha256 = fill(instance, options.certificates)
        print(f"filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        with instance.serving():
            time.sleep(3)
            measure(instance, options.certificates, sha256, options.rounds)


if __name__ == "__main__":
    main()
