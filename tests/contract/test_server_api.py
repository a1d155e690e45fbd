"""The API on real sockets: a bound client certificate signs in, a revoked token does not."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from factors import factor_tools
from listening import Party, Wire, party, serving
from people import CountingHasher, SteppedClock

from chancery.adapters.storage import open_store
from chancery.api import Services, create_api
from chancery.domain.errors import NotFound
from chancery.domain.identity import SYSTEM, Role
from chancery.server.dispatch import Dispatcher
from chancery.server.health import alive
from chancery.server.listeners import Listener
from chancery.server.metrics import Metrics
from chancery.server.tls import TlsContexts
from chancery.services.identity import IdentityService


class Reached:
    """A service, or a part of one, that knows nothing."""

    def __getattr__(self, name: str) -> "Reached":
        return Reached()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise NotFound("reached")


@dataclass
class House:
    directory: Path
    root: Party
    identity: IdentityService
    plain: int
    tls: int

    def ask(
        self, path: str, *, client: Party | None = None, head: str = "", body: bytes | None = None
    ) -> tuple[int, dict[str, Any]]:
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        if client is not None:
            context.load_cert_chain(*client.write(self.directory, "client"))
        return self.exchange(Wire(self.tls, context), path, head, body)

    def exchange(
        self, wire: Wire, path: str, head: str = "", body: bytes | None = None
    ) -> tuple[int, Any]:
        verb = "GET" if body is None else "POST"
        length = f"content-length: {len(body)}\r\n" if body is not None else ""
        with wire:
            wire.send(
                f"{verb} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{length}{head}\r\n".encode()
            )
            wire.send(body or b"")
            head_part, _, rest = wire.rest().partition(b"\r\n\r\n")
        return int(head_part.split()[1]), json.loads(rest)


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    clock = SteppedClock()
    store = open_store(sqlite_url, clock=clock)
    numbers = iter(range(1, 1_000_000))
    identity = IdentityService(
        store,
        CountingHasher(),
        clock,
        lambda size: next(numbers).to_bytes(size),
        tools=factor_tools(),
    )
    identity.users.create(SYSTEM, "rita", roles=[Role.REQUESTER])
    services: dict[str, Any] = {name: Reached() for name in Services.__dataclass_fields__}
    services |= {"identity": identity, "store": store, "clock": clock}
    metrics = Metrics()
    app = Dispatcher(
        {"healthz": alive, "metrics": metrics}, {"api": create_api(Services(**services))}, metrics
    )
    root = party("root", ca=True)
    certificate, key = party("localhost", root).write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(root.pem())
    listeners = [
        Listener("127.0.0.1", 0),
        Listener("127.0.0.1", 0, TlsContexts(certificate, key, tmp_path / "ca.pem")),
    ]
    clock.now = int(root.certificate.not_valid_before_utc.timestamp()) + 86_400
    with serving(app, listeners) as (_, (plain, tls)):
        yield House(tmp_path, root, identity, plain, tls)
    store.close()


def test_a_bound_certificate_signs_in(house: House) -> None:
    client = party("rita", house.root)
    assert house.ask("/api/v1/me", client=client)[0] == 401

    house.identity.certificates.bind(SYSTEM, "rita", client.pem())
    status, me = house.ask("/api/v1/me", client=client)
    assert (status, me["name"], me["method"]) == (200, "rita", "certificate")
    assert house.ask("/api/v1/me")[0] == 401, "without it, nobody"

    namesake = party("rita", house.root)
    assert house.ask("/api/v1/me", client=namesake)[0] == 401, "the hash counts, not the name"


def test_a_bearer_token_comes_before_the_certificate(house: House) -> None:
    client = party("rita", house.root)
    house.identity.certificates.bind(SYSTEM, "rita", client.pem())
    status, problem = house.ask("/api/v1/me", client=client, head="authorization: Bearer chy_x\r\n")
    assert (status, problem["rule"]) == (401, "token")


def test_the_api_is_not_on_the_plain_listener(house: House) -> None:
    status, problem = house.exchange(Wire(house.plain), "/api/v1/me")
    assert (status, problem["remedy"]) == (404, "use the https listener")
    assert house.exchange(Wire(house.plain), "/healthz") == (200, {"status": "ok"})


def test_submissions_are_counted_by_their_template(house: House) -> None:
    token = house.identity.tokens.create(SYSTEM, owner="rita")[1]
    bearer = f"authorization: Bearer {token}\r\n"
    assert house.ask("/api/v1/requests", head=bearer, body=b'{"profile": "x"}')[0] == 404
    assert house.ask("/api/v1/requests/abc", head=bearer)[0] == 404
    with Wire(house.plain) as wire:
        wire.send(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        text = wire.rest().decode()
    assert 'method="POST",route="/api/v1/requests",status="404"' in text
    assert 'method="GET",route="/api/v1/requests/{request_id}",status="404"' in text


def test_an_oversized_body_is_refused_without_being_read(house: House) -> None:
    token = house.identity.tokens.create(SYSTEM, owner="rita")[1]
    head = f"authorization: Bearer {token}\r\n"
    status, problem = house.ask("/api/v1/requests", head=head, body=b"x" * (1024 * 1024 + 1))
    assert (status, problem["rule"]) == (413, "body.size")
