"""What a certificate costs the store: CPU and wall time of the hot path.

    python bench/storage.py sqlite:////tmp/bench.db [--certificates 20000]

The hot path of one certificate is two units: (request, intent, leaf), then
(certificate, intent closed, request issued, leaf).
"""

import argparse
import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import Session
from services import records

Batch = Sequence[tuple[CertificateRequest, Any, Any, Any, Any]]


class _Clock:
    def ms(self) -> int:
        return time.time_ns() // 1_000_000

    def s(self) -> int:
        return self.ms() // 1000


def prepare(count: int) -> Batch:
    made = []
    for _ in range(count):
        request = records.request(state=RequestState.APPROVED)
        made.append((
            request,
            records.intent(request),
            records.certificate(request),
            records.event("request.submitted", request.id, content=request.content_sha256),
            records.event("certificate.issued", f"issuing/{request.serial}", request=request.id),
        ))  # fmt: skip
    return made


def intend(batch: Batch) -> Callable[[Session], int]:
    def work(session: Session) -> int:
        session.requests.add([item[0] for item in batch])
        session.certificates.intend([item[1] for item in batch])
        return session.audit.append([item[3] for item in batch], records.NOW * 1000)

    return work


def issue(batch: Batch) -> Callable[[Session], int]:
    def work(session: Session) -> int:
        session.certificates.issue([item[2] for item in batch], [item[1].id for item in batch])
        session.requests.issued([(item[0].id, item[2].id) for item in batch])
        return session.audit.append([item[4] for item in batch], records.NOW * 1000)

    return work


def run(store: SqlStore, count: int, unit: int, in_flight: int) -> tuple[float, float]:
    """Return (wall, CPU) microseconds a certificate: units of *unit*, *in_flight* at once."""
    made = prepare(count)
    gc.collect()
    gc.freeze()  # what we prepared is not the store's garbage to look through
    batches = [made[n : n + unit] for n in range(0, count, unit)]
    wall, cpu = time.perf_counter(), time.process_time()
    intended: deque[tuple[Batch, Future[int]]] = deque()
    issued: deque[Future[int]] = deque()
    for batch in batches:
        intended.append((batch, store.submit(intend(batch))))
        if len(intended) >= in_flight:
            ready, future = intended.popleft()
            future.result()
            issued.append(store.submit(issue(ready)))
        if len(issued) >= in_flight:
            issued.popleft().result()
    for batch, future in intended:
        future.result()
        issued.append(store.submit(issue(batch)))
    for last in issued:
        last.result()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall / count * 1e6, cpu / count * 1e6


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("--certificates", type=int, default=20_000)
    given = arguments.parse_args()
    migrate(given.url)
    store = open_store(given.url, clock=_Clock())
    print("items/unit  in flight   wall us/cert   CPU us/cert   certs/s")
    for unit, in_flight, share in ((1, 1, 20), (1, 64, 4), (64, 1, 1), (64, 4, 1)):
        wall, cpu = run(store, given.certificates // share, unit, in_flight)
        print(f"{unit:10d} {in_flight:10d} {wall:14.0f} {cpu:13.0f} {1e6 / wall:9.0f}")
    store.close()


if __name__ == "__main__":
    main()
