"""CRLs of a CA that revoked a million, and revoking many at once: ``make bench-crl``.

A real record, a real signer process.  What is measured runs in a process of
its own, so that its memory is its own.  Ratios are to the raw work of the same
run: SHA-256 over the octets of the CRL, and a plain read of as many rows.
"""

import argparse
import hashlib
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from chancery.adapters.clock import SystemClock
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.storage import open_store
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.certificate import CertificateRecord, RevocationReason, RevokedEntry
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.ports import Session
from chancery.services.authority import AuthorityChange, NewAuthority
from chancery.services.operations import running
from chancery.services.status import StatusService
from chancery.services.status.crls import CrlIssuer
from chancery.services.status_changes import revocation, revoke_all
from chancery.signer.client import SignerClient
from chancery.wire.crl_entries import entry
from chancery.wire.lint import compile_lint
from services.pki import HTTP, House, ocsp_profile, operator, signer

_CA: Final = "bench"
_CHUNK: Final = 20_000
_REASON: Final = RevocationReason.superseded


def fill(database: Path, count: int) -> None:
    """*count* revocations, as revoking would have written them."""
    link = sqlite3.connect(database)
    link.execute("PRAGMA synchronous = OFF")
    now = int(time.time())
    for start in range(0, count, _CHUNK):
        rows = []
        for n in range(start, min(start + _CHUNK, count)):
            serial = f"{0x68000000 + n // 3:08x}{secrets.token_hex(12)}"
            encoded = entry(RevokedEntry(serial, now - n % 100_000, _REASON, None))
            at = now - n % 100_000
            rows.append((_CA, serial, f"c-{n}", "revoked", at, 4, None, now + 10**7, encoded))
        with link:
            link.executemany(
                "INSERT INTO revocation (authority, serial, certificate_id, status, revoked_at,"
                " reason, invalidity_date, not_after, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                sorted(rows),
            )
    link.close()


class Spans:
    """Seconds spent in methods, by name."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    def around(self, owner: type, name: str) -> None:
        plain: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return plain(*arguments, **named)
            finally:
                spent = time.perf_counter() - started
                self.taken[name] = self.taken.get(name, 0.0) + spent

        setattr(owner, name, timed)


def peak_mb(pid: int | str = "self") -> int:
    """The most memory a process ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def measure(directory: Path, signer_pid: int) -> None:
    """In the process of its own: one CRL after another, and what each costs."""
    before = peak_mb()
    spans = Spans()
    for name in ("_record", "_publish_newest", "_begin", "_finish"):
        spans.around(CrlIssuer, name)
    spans.around(SignerClient, "sign_crl")
    clock = SystemClock()
    store = open_store(f"sqlite:///{directory / 'chancery.db'}", clock=clock)
    status = StatusService(
        store,
        SignerClient(directory / "run" / "signer.sock"),
        clock,
        secrets.token_bytes,
        DirectoryPublisher(directory / "public"),
        http=HTTP,
        responder_profile=ocsp_profile,
        lint=compile_lint,
    )
    for turn in range(3):
        spans.taken.clear()
        started = time.perf_counter()
        record = status.issue_crl(operator(), _CA)
        whole = time.perf_counter() - started
        stored = sum(spans.taken[name] for name in ("_record", "_publish_newest"))
        started = time.perf_counter()
        hashlib.sha256(record.der).digest()
        hashed = time.perf_counter() - started
        print(
            f"full CRL {turn + 1}: {record.entries:,} entries, {len(record.der):,} octets:"
            f" built, signed and checked in {whole - stored:.2f} s"
            f" (signer {spans.taken['sign_crl']:.2f} s; {(whole - stored) / hashed:.0f} x one"
            f" SHA-256 of it), recorded and published in {stored:.2f} s more",
            flush=True,
        )
        del record
    print(f"memory: {peak_mb()} MB at most, {before} MB before; signer {peak_mb(signer_pid)} MB")
    store.close()


def shards(house: House, count: int) -> None:
    change = AuthorityChange(crl_shards=count, crl_delta_every_s=3600)
    house.authorities.edit(SYSTEM, _CA, change)
    started = time.perf_counter()
    house.status.issue_crl(operator(), _CA)
    print(f"full, delta and {count} shards: {time.perf_counter() - started:.2f} s")


def mass(house: House, count: int) -> None:
    """Revoke as an operation does: a unit of work after another, a leaf for each."""
    now, ids = house.clock.s(), []
    for start in range(0, count, 2_000):
        records = [_certificate(now) for _ in range(start, min(start + 2_000, count))]
        ids += [one.id for one in records]
        house.store.write(lambda session, some=records: session.certificates.adopt(some))  # type: ignore[misc]
    change = revocation(_REASON, None, operation="bench")
    started = time.perf_counter()
    for at in range(0, count, running._REVOKED):
        some = ids[at : at + running._REVOKED]

        def unit(session: Session, some: list[str] = some) -> int:
            return revoke_all(session, SYSTEM, some, change, house.clock.ms(), crl_at=now)

        house.store.write(unit)
    rate = count / (time.perf_counter() - started)
    started = time.perf_counter()
    house.status.issue_crl(operator(), _CA)
    waited = time.perf_counter() - started
    print(f"mass revocation: {rate:,.0f}/s, its CRL {waited:.2f} s after the last")


def _certificate(now: int) -> CertificateRecord:
    identity = new_id(now * 1000, secrets.token_bytes(10))
    return CertificateRecord(
        id=identity,
        authority=_CA,
        serial=f"{0x70000000:08x}{secrets.token_hex(12)}",
        subject=f"CN={identity}.example.org",
        names=(),
        not_before=now,
        not_after=now + 10**7,
        key_sha256=secrets.token_hex(32),
        sha256=secrets.token_hex(32),
        profile="tls-server",
        profile_sha256="0" * 64,
        request_id=identity,
        requester="bench",
        der=b"\x30" * 700,
        issued_at=now,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--revoked", type=int, default=1_000_000)
    parser.add_argument("--mass", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(Path(asked.measure[0]), int(asked.measure[1]))
        return
    with TemporaryDirectory(prefix="chancery-bench-") as place:
        directory = Path(place)
        with signer(directory) as vault:
            house = House(directory, vault)
            house.authorities.create(
                SYSTEM, NewAuthority(_CA, "lab", "CN=Bench", key_algorithm=KeyAlgorithm.EC_P256)
            )
            fill(directory / "chancery.db", asked.revoked)
            pid = subprocess.run(
                ["pgrep", "-f", str(directory / "vault")],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()[0]
            subprocess.run(
                [sys.executable, __file__, "--measure", place, pid], check=True, env=os.environ
            )
            shards(house, asked.shards)
            mass(house, asked.mass)
            house.close()


if __name__ == "__main__":
    main()
