"""Issuance under load: a real instance, wrk as the load generator on the same cores.

Each figure is also given as a ratio to the raw crypto of the same run: what
one core does in that time if it only verifies a P-256 CSR and signs a P-256
certificate.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from services.csr import p256_csr
from services.instance import Instance


def raw_crypto(seconds: float = 2.0) -> float:
    """P-256 verify + sign pairs a second, on one core."""
    key = ec.generate_private_key(ec.SECP256R1())
    message = os.urandom(400)
    algorithm = ec.ECDSA(hashes.SHA256())
    signature = key.sign(message, algorithm)
    public = key.public_key()
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        for _ in range(50):
            public.verify(signature, message, algorithm)
            key.sign(message, algorithm)
        count += 50
    return count / spent


def prepare(instance: Instance, folder: Path, count: int) -> None:
    """An RA that asks nobody, and *count* distinct CSRs."""
    instance.automatic_ra("bench")
    with (folder / "bodies.ndjson").open("w") as out:
        for number in range(count):
            body = {
                "profile": "tls-server",
                "ra": "bench",
                "csr": p256_csr(f"host-{number}.example.org"),
            }
            out.write(json.dumps(body) + "\n")


def wrk(instance: Instance, folder: Path, connections: int, seconds: int) -> dict[str, float]:
    token = Path(instance.facts["users"]["requester"]["token_file"]).read_text().strip()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s",
         str(Path(__file__).with_name("issue.lua")), instance.facts["https"]],
        env=os.environ | {"TOKEN": token, "BODIES": str(folder / "bodies.ndjson")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if done.stderr:
        print(done.stderr[:500], file=sys.stderr)
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    figures: dict[str, float] = json.loads(line.removeprefix("JSON "))
    assert not figures["not_2xx"], figures
    assert not figures["socket_errors"], figures
    return figures


def bulk(instance: Instance, folder: Path, count: int) -> float:
    """Certificates a second through one bulk call of *count* requests."""
    token = Path(instance.facts["users"]["requester"]["token_file"]).read_text().strip()
    lines = (folder / "bodies.ndjson").read_text().splitlines()
    (folder / "bulk.ndjson").write_text("\n".join(lines[n % len(lines)] for n in range(count)))
    start = time.perf_counter()
    done = subprocess.run(
        ["curl", "-sSf", "--cacert", instance.facts["ca_bundle"], "-H", f"Authorization: Bearer {token}",
         "-H", "Content-Type: application/x-ndjson", "--data-binary", f"@{folder / 'bulk.ndjson'}",
         f"{instance.facts['https']}/api/v1/requests/bulk"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent = time.perf_counter() - start
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    issued = sum(answer.get("state") == "issued" for answer in answers)
    assert issued == count, answers[:2]
    return count / spent


def memory_mib(instance: Instance) -> dict[str, tuple[float, float]]:
    """(resident, proportional) memory of each process; the second counts shared pages once."""
    found = {}
    for pid in instance.family():
        fields = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        )
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        name = next((word for word in words if word.startswith("chancery.")), "supervisor")
        found[f"{name} ({pid})"] = tuple(
            int(fields[field].split()[0]) / 1024 for field in ("Rss", "Pss")
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--database", default=None)
    parser.add_argument("--bulk", type=int, default=20_000)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        instance = Instance.create(folder / "instance", database=options.database)
        raw = raw_crypto()
        started = time.perf_counter()
        with instance.serving():
            ready = time.perf_counter() - started
            prepare(instance, folder, 2000)
            wrk(instance, folder, 16, 2)  # warm
            many = wrk(instance, folder, 64, options.seconds)
            single = wrk(instance, folder, 1, max(3, options.seconds // 2))
            bulk_rate = bulk(instance, folder, options.bulk)
            memory = memory_mib(instance)
        rate = many["requests"] / many["seconds"]
        single_rate = single["requests"] / single["seconds"]
        print(f"raw P-256 verify+sign        {raw:9.0f}/s   1.00 (one core)")
        print(
            f"issuance, 64 connections     {rate:9.0f}/s   {rate / raw:.2f} of raw"
            f"   p50 {many['p50_ms']:.1f} ms  p99 {many['p99_ms']:.1f} ms"
        )
        print(
            f"issuance, 1 connection       {single_rate:9.0f}/s   {single_rate / raw:.2f} of raw"
            f"   p50 {single['p50_ms']:.1f} ms  p99 {single['p99_ms']:.1f} ms"
        )
        print(f"bulk issuance                {bulk_rate:9.0f}/s   {bulk_rate / raw:.2f} of raw")
        print(f"start to ready               {ready:9.2f} s")
        rss, pss = (sum(one[k] for one in memory.values()) for k in (0, 1))
        print(f"memory of the service        {rss:9.0f} MiB resident, {pss:.0f} MiB proportional")
        for name, (own_rss, own_pss) in memory.items():
            print(f"    {own_rss:6.0f} MiB, {own_pss:4.0f}  {name}")
        print(
            f"load generator and clients used {resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime:.0f} s of CPU"
        )


if __name__ == "__main__":
    main()
