"""Prometheus metrics, cheap enough for every request."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from chancery.domain.errors import CAError
from chancery.services.gauges import Family

_log = logging.getLogger(__name__)
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Record = Callable[[], Iterable[Family]]
_FRESH_S: Final = 5.0


class Metrics:
    """Requests by route and status.  Other parts register their own in ``registry``.

    Labels are route templates, never paths: what a stranger asks for must not
    grow the tables.  Children are looked up once and kept.

    Where PROMETHEUS_MULTIPROC_DIR is set, each worker keeps its numbers in a
    file there, and whichever is asked answers for all of them.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, record: Record | None = None
    ) -> None:
        """*record* reads what the database knows; it may block, and may fail."""
        self.registry: Final = registry or CollectorRegistry()
        self._record = _Kept(record) if record is not None else None
        self._requests = Counter(
            "chancery_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "chancery_http_request_seconds",
            "Time from the request's header to the end of the answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def count(self, method: str, route: str, status: int, started: float) -> None:
        """Record one answer; *started* is ``perf_counter()`` at its beginning."""
        key = (method, route, status)
        counter = self._counters.get(key)
        if counter is None:
            verb = method if method in _METHODS else "other"
            counter = self._counters[key] = self._requests.labels(verb, route, str(status))
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = self._seconds.labels(route)
        counter.inc()
        histogram.observe(perf_counter() - started)

    def count_quick(self, method: str, segment: str, number: int) -> None:
        """Answers of the fast lane: too fast for anybody to measure each."""
        self._requests.labels(method, f"/{segment}", "200").inc(number)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer GET /metrics."""
        body = generate_latest(self._everybody())
        if self._record is not None:
            body += await self._record.text()
        headers = [
            (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _everybody(self) -> CollectorRegistry:
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return self.registry
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        return merged


class _Kept(Collector):
    """Families of the record as text, kept for a while, so that asking cannot become a load."""

    def __init__(self, read: Record) -> None:
        self._read = read
        self._asking = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "metrics")
        self._text = b""
        self._at = float("-inf")

    async def text(self) -> bytes:
        async with self._asking:
            if monotonic() - self._at >= _FRESH_S:
                loop = asyncio.get_running_loop()
                self._text = await loop.run_in_executor(self._thread, self._made)
                self._at = monotonic()
        return self._text

    def _made(self) -> bytes:
        registry = CollectorRegistry()
        try:
            registry.register(self)
            return generate_latest(registry)
        except CAError as error:
            _log.warning("no metrics of the record: %s", error)
            return b""

    def collect(self) -> Iterator[Metric]:
        for family in self._read():
            kind = CounterMetricFamily if family.counter else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels)
            for labels, value in family.values.items():
                metric.add_metric(labels, value)
            yield metric
