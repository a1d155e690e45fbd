"""CPU of POST /api/v1/requests without the service behind it: ``python bench/api_submit.py``.

One token, warm; the registration service answers at once (its own cost is
measured in ``bench/issuance.py``).  Prints microseconds a request.
"""

import asyncio
import hashlib
import json
import statistics
import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import uvloop

from chancery.api.authentication import Authenticator
from chancery.api.guard import Guard
from chancery.api.idempotency import Idempotency
from chancery.api.submit import PATH, SubmitEndpoint
from chancery.domain.identity import GRANTS, AuthMethod, Principal, Role
from chancery.server.dispatch import Dispatcher
from chancery.server.metrics import Metrics
from chancery.services.identity.authentication import Authentication
from chancery.services.identity.policy import IdentityPolicy
from chancery.services.identity.token_cache import TokenCache

TOKEN = "chy_" + "A" * 43
CSR = (
    "-----BEGIN CERTIFICATE REQUEST-----\n"
    + ("M" * 64 + "\n") * 8
    + "-----END CERTIFICATE REQUEST-----\n"
)
BODY = json.dumps(
    {"profile": "tls-server", "csr": CSR, "names": ["dns:www.example.org", "dns:example.org"]}
).encode()
ROUNDS, REQUESTS = 7, 5_000


class Clock:
    def ms(self) -> int:
        return time.time_ns() // 1_000_000

    def s(self) -> int:
        return time.time_ns() // 1_000_000_000


def identity() -> Any:
    cache = TokenCache(3_600_000)
    role = Role.REQUESTER
    principal = Principal(
        "rita", frozenset({role}), frozenset(), GRANTS[role], AuthMethod.TOKEN, "192.0.2.7"
    )
    now = Clock().ms()
    cache.put(hashlib.sha256(TOKEN.encode()).digest(), principal, now, now * 2, cache.generation)
    none: Any = None
    proof = Authentication(none, none, Clock(), "", IdentityPolicy(), cache)
    return SimpleNamespace(known_token=proof.known_token, authenticate_token=proof.token)


class Registration:
    def __init__(self) -> None:
        request = SimpleNamespace(
            id="0190-1",
            state=SimpleNamespace(value="issued"),
            serial="5a" * 16,
            content_sha256="22" * 32,
        )
        self._done = SimpleNamespace(
            request=request, code=None, certificate=SimpleNamespace(der=b"\x30" * 620)
        )

    def enqueue(self, *_: Any) -> "Future[Any]":
        answer: Future[Any] = Future()
        answer.set_result(self._done)
        return answer


def application() -> Any:
    none: Any = None
    registration: Any = Registration()
    endpoint = SubmitEndpoint(registration, Authenticator(identity()), Idempotency(none, Clock()))
    return Dispatcher({}, {"api": Guard(endpoint)}, Metrics())


async def measure(app: Any) -> float:
    headers = [
        (b"host", b"ca.example.org"), (b"user-agent", b"bench"), (b"accept", b"*/*"),
        (b"authorization", b"Bearer " + TOKEN.encode()), (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ]  # fmt: skip
    message = {"type": "http.request", "body": BODY, "more_body": False}
    statuses = []

    async def receive() -> dict[str, Any]:
        return message

    async def send(sent: dict[str, Any]) -> None:
        if "status" in sent:
            statuses.append(sent["status"])

    began = time.process_time()
    for _ in range(REQUESTS):
        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "https",
            "path": PATH,
            "headers": headers,
            "client": ("192.0.2.7", 1),
        }
        await app(scope, receive, send)
    spent = time.process_time() - began
    assert set(statuses) == {201}, statuses[:3]
    return spent / REQUESTS * 1e6


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = [runner.run(measure(application())) for _ in range(ROUNDS)]
    print(
        json.dumps(
            {"us_per_request": round(statistics.median(rounds), 1), "best": round(min(rounds), 1)}
        )
    )


if __name__ == "__main__":
    main()
