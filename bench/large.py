"""Ten million certificates on record, a million of them revoked: ``make bench-large``.

Two instances under the same load, one after the other: one with few
certificates, one with as many as asked for.  How long each takes to start, how
OCSP answers, what a revocation costs until its CRL is in place, and the memory
that each process came to need.  Minutes to fill, and a kilobyte of disk for a
certificate; with ``--at`` what was filled is kept, and measured again.
"""

import argparse
import os
import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ocsp import CHANCERY, Asker, script, wrk

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from services.instance import Instance

_SCATTERED: Final = 30_000
"""Serials all over the record: more than a worker keeps in memory, so most answers need a read."""
_PARTS: Final = {
    "worker": "chancery.app.worker",
    "jobs": "chancery.app.jobs",
    "signer": "chancery.signer",
}


def filled(folder: Path, name: str, certificates: int, revoked: int) -> Instance:
    """An instance with so many certificates, made unless it is there."""
    kept = folder / f"{name}.pickle"
    if kept.exists():
        found: Instance = pickle.loads(kept.read_bytes())
        return found
    made = Instance.create(folder / name)
    began = time.perf_counter()
    words = [CHANCERY, "bench", "generate", "--config", str(made.directory / "chancery.toml")]
    words += ["--certificates", str(certificates), "--revoked", str(revoked)]
    subprocess.run(words, check=True, capture_output=True)
    size = (made.directory / "data" / "chancery.db").stat().st_size
    spent = time.perf_counter() - began
    print(f"{name}: {certificates} certificates in {spent:.0f} s, {size / 1e9:.1f} GB", flush=True)
    kept.write_bytes(pickle.dumps(made))
    return made


def serials_of(instance: Instance, most: int) -> list[str]:
    """In an order that has nothing to do with where they are stored."""
    link = sqlite3.connect(instance.directory / "data" / "chancery.db")
    try:
        rows = link.execute(
            "SELECT serial FROM certificate WHERE requester = 'bench' ORDER BY sha256 LIMIT ?",
            (most,),
        )
        return [row[0] for row in rows]
    finally:
        link.close()


def peaks(instance: Instance) -> str:
    """The most that each kind of process had resident, in MiB."""
    said = []
    for name, module in _PARTS.items():
        most = 0
        for pid in instance.children(module):
            status = Path(f"/proc/{pid}/status").read_text()
            most = max(most, int(status.partition("VmHWM:")[2].split()[0]))
        said.append(f"{name} {most / 1024:.0f}")
    return ", ".join(said)


def status(instance: Instance, folder: Path, seconds: int) -> dict[str, float]:
    """Start and OCSP: seconds, and the 99th percentiles in ms."""
    began = time.perf_counter()
    with instance.serving():
        found = {"start to ready, s": time.perf_counter() - began}
        asker, url = Asker(instance), instance.facts["http"]
        serials = serials_of(instance, _SCATTERED)
        plain = [asker.request(serial) for serial in serials]
        hot = script(folder / "hot.lua", asker.paths(plain[:1000]))
        nonces = [asker.request(serial, os.urandom(32)) for serial in serials]
        cold = script(folder / "cold.lua", nonces, asker.path)
        wrk(url, hot, 16, 1)
        for name, what, connections in (
            ("from memory, 16 connections", hot, 16),
            ("signed, all over the record, 16 connections", cold, 16),
            ("signed, all over the record, 2 connections", cold, 2),
        ):
            rate, p99 = wrk(url, what, connections, seconds)
            found[f"{name}, /s"] = rate
            found[f"{name}, p99 ms"] = p99
        print(f"  most memory, MiB: {peaks(instance)}", flush=True)
    return found


def crl(instance: Instance) -> dict[str, float]:
    """From a revocation to the CRL that has it."""
    file = instance.directory / "public" / "crl" / f"{instance.facts['issuing']}.crl"
    with instance.serving():
        time.sleep(1)
        before = file.stat().st_mtime_ns
        alive = serials_of(instance, 200)
        for serial in alive:
            words = ("certificate", "revoke", serial, "--reason", "superseded")
            if instance.run(*words, user="officer1").returncode == 0:
                break
        began = time.perf_counter()
        while file.stat().st_mtime_ns == before:
            time.sleep(0.02)
            assert time.perf_counter() - began < 120
        spent = time.perf_counter() - began
        print(f"  most memory, MiB: {peaks(instance)}", flush=True)
        return {"revocation to CRL, s": spent, "CRL, MB": file.stat().st_size / 1e6}


def report(few: dict[str, float], many: dict[str, float]) -> None:
    for name, value in many.items():
        print(f"{name:52s}{few[name]:10.2f}{value:10.2f}   x {value / max(few[name], 1e-9):.2f}")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=int, default=10_000_000)
    parser.add_argument("--revoked", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--at", type=Path, help="keep the instances there")
    parser.add_argument("--only", choices=("fill", "status", "crl"))
    options = parser.parse_args(words)
    with nullcontext(options.at) if options.at else TemporaryDirectory() as place:
        folder = Path(place)
        folder.mkdir(exist_ok=True)
        few = filled(folder, "few", 1_000, 100)
        many = filled(folder, "many", options.certificates, options.revoked)
        if options.only in (None, "status"):
            report(status(few, folder, options.seconds), status(many, folder, options.seconds))
        if options.only in (None, "crl"):
            report(crl(few), crl(many))


if __name__ == "__main__":
    main()
