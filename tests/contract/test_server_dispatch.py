"""Which application gets a request, and what the server itself answers."""

import asyncio
import json
import time
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from chancery.domain.errors import Unavailable
from chancery.server.dispatch import Dispatcher
from chancery.server.health import Readiness, alive
from chancery.server.metrics import Metrics

Answer = tuple[int, dict[str, str], bytes]


def ask(app: Any, path: str, *, scheme: str = "https", method: str = "GET") -> Answer:
    """Call an ASGI application once."""
    return asyncio.run(asked(app, path, scheme=scheme, method=method))


async def asked(app: Any, path: str, *, scheme: str = "https", method: str = "GET") -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "scheme": scheme, "headers": []}
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])


def named(name: str) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})

    return app


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("sqlite:///secret.db")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def dispatcher(metrics: Metrics) -> Dispatcher:
    everywhere = {"ocsp": named("ocsp"), "healthz": alive, "metrics": metrics, "broken": broken}
    return Dispatcher(everywhere, {"api": named("api")}, metrics, rest=named("web"))


@pytest.mark.parametrize(
    ("path", "plain", "tls"),
    [
        ("/ocsp/root", b"ocsp", b"ocsp"),
        ("/ocsp", b"ocsp", b"ocsp"),
        ("/api/v1/me", None, b"api"),
        ("/", None, b"web"),
        ("/requests", None, b"web"),
        ("//api/v1/me", None, b"web"),
        ("/API/v1/me", None, b"web"),
        ("/ocsp/../api/v1/me", b"ocsp", b"ocsp"),
    ],
)
def test_the_first_segment_decides(
    dispatcher: Dispatcher, path: str, plain: bytes | None, tls: bytes
) -> None:
    assert ask(dispatcher, path)[2] == tls
    status, headers, body = ask(dispatcher, path, scheme="http")
    if plain is None:
        assert status == 404
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["remedy"] == "use the https listener"
    else:
        assert body == plain


def test_the_text_of_a_bug_stays_inside(
    dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    status, headers, body = ask(dispatcher, "/broken")
    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert b"secret" not in body
    assert "secret.db" in caplog.text


def test_metrics_count_by_route_and_never_by_path(dispatcher: Dispatcher) -> None:
    for number in range(50):
        ask(dispatcher, f"/ocsp/{number}")
        ask(dispatcher, f"/nonsense-{number}", scheme="http")
    text = ask(dispatcher, "/metrics")[2].decode()
    assert 'chancery_http_requests_total{method="GET",route="/ocsp",status="200"} 50.0' in text
    assert 'chancery_http_requests_total{method="GET",route="unknown",status="404"} 50.0' in text
    assert 'chancery_http_request_seconds_count{route="/ocsp"} 50.0' in text
    assert "nonsense" not in text


def test_counting_is_cheap(metrics: Metrics) -> None:
    metrics.count("GET", "/ocsp", 200, time.perf_counter())
    began = time.perf_counter()
    for _ in range(10_000):
        metrics.count("GET", "/ocsp", 200, began)
    assert (time.perf_counter() - began) / 10_000 < 50e-6


def test_ready_when_every_check_is() -> None:
    status, _, body = ask(Readiness({"signer": lambda: None, "store": lambda: None}), "/readyz")
    assert status == 200
    assert json.loads(body) == {"status": "ready", "checks": {"signer": "ok", "store": "ok"}}


def test_not_ready_says_why_and_keeps_the_text_of_bugs() -> None:
    def away() -> str | None:
        raise Unavailable("the signer does not answer")

    def bug() -> str | None:
        raise KeyError("sqlite:///secret.db")

    checks = {"signer": away, "store": bug, "crls": lambda: "the CRL of root is stale"}
    status, _, body = ask(Readiness(checks), "/readyz")
    assert status == 503
    assert json.loads(body)["checks"] == {
        "signer": "the signer does not answer",
        "store": "failed",
        "crls": "the CRL of root is stale",
    }


def test_a_check_that_hangs_is_a_check_that_fails_and_is_not_started_twice() -> None:
    started: list[float] = []

    def hangs() -> str | None:
        started.append(time.monotonic())
        time.sleep(0.6)
        return None

    readiness = Readiness({"store": hangs}, timeout_s=0.1, fresh_s=0)

    async def twice() -> list[Answer]:
        return [await asked(readiness, "/readyz") for _ in range(3)]

    for status, _, body in asyncio.run(twice()):
        assert status == 503
        assert json.loads(body)["checks"] == {"store": "no answer within 0.1 s"}
    assert len(started) == 1


def test_asking_often_is_no_load() -> None:
    asked_for: list[None] = []
    readiness = Readiness({"store": lambda: asked_for.append(None)})

    async def often() -> None:
        await asyncio.gather(*(asked(readiness, "/readyz") for _ in range(100)))

    asyncio.run(often())
    assert len(asked_for) == 1
