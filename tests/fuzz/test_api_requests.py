"""Whatever is sent, by whomever: an answer, never a 500, always a problem document if refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pytest
from asking import Asker
from factors import factor_tools
from hypothesis import given, settings
from hypothesis import strategies as st
from people import PASSWORD, CountingHasher, SteppedClock

from chancery.adapters.storage import migrate, open_store
from chancery.api import Services, create_api
from chancery.api.application import DOORS
from chancery.api.submit import ACCESS
from chancery.domain.errors import NotFound
from chancery.domain.identity import SYSTEM, Role
from chancery.services.identity import IdentityService

ROUTES = [ACCESS, *(row for door in DOORS for row in door.access())]


class Reached:
    """A service, or a part of one, that knows nothing."""

    def __getattr__(self, name: str) -> "Reached":
        return Reached()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise NotFound("reached")


@pytest.fixture(scope="module")
def askers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Asker]]:
    """One for each role and a stranger, before the real identity service."""
    path = tmp_path_factory.mktemp("fuzz") / "chancery.db"
    migrate(f"sqlite:///{path}")
    clock = SteppedClock()
    store = open_store(f"sqlite:///{path}", clock=clock)
    numbers = iter(range(1, 100_000_000))
    identity = IdentityService(
        store,
        CountingHasher(),
        clock,
        lambda size: next(numbers).to_bytes(size),
        tools=factor_tools(),
    )
    services: dict[str, Any] = {name: Reached() for name in Services.__dataclass_fields__}
    services |= {"identity": identity, "store": store, "clock": clock}
    api = create_api(Services(**services))
    stranger = Asker(api)
    found = [stranger]
    for role in Role:
        identity.users.create(SYSTEM, role.value, roles=[role], password=PASSWORD)
        found.append(stranger.as_bearer(identity.tokens.create(SYSTEM, owner=role.value)[1]))
    yield found
    store.close()
    shutil.rmtree(Path(path).parent)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KNOWN = [
    "name", "profile", "csr", "roles", "password", "certificate", "reason", "text", "label",
    "days", "scopes", "content_sha256", "authority", "invalidity_date", "email", "disabled",
    "container", "subject", "key", "extensions", "names", "new_key", "role_class", "current",
]  # fmt: skip
BODIES = (
    st.none()
    | st.binary(max_size=60)
    | JSON
    | st.dictionaries(st.sampled_from(KNOWN), JSON, max_size=5)
)
SEGMENTS = st.text(
    st.characters(codec="utf-8", exclude_characters="/?#"), min_size=1, max_size=12
) | st.sampled_from([".", "..", "0", "%00", "administrator", "requester", "x" * 3000])
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            "cursor",
            "limit",
            "code",
            "state",
            "version",
            "format",
            "before",
            "expires_after",
            "status",
            "seq",
        ]
    ),
    st.text(max_size=8) | st.integers().map(str),
    max_size=3,
)
HEADERS = st.dictionaries(
    st.sampled_from(["idempotency-key", "x-passphrase", "content-type", "authorization", "accept"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12)
    | st.sampled_from(["application/json", "application/x-ndjson", "Bearer x", "Basic eDp5"]),
    max_size=2,
)


def fine(answer: Any) -> bool:
    """Success, or a refusal in our words."""
    return answer.status < 400 or (answer.status != 500 and answer.is_problem)


@settings(max_examples=400, deadline=None)
@given(
    who=st.integers(0, len(Role)),
    row=st.sampled_from(ROUTES),
    body=BODIES,
    segments=st.lists(SEGMENTS, min_size=3, max_size=3),
    query=QUERIES,
    headers=HEADERS,
)
def test_routes(
    askers: list[Asker],
    who: int,
    row: Any,
    body: Any,
    segments: list[str],
    query: dict[str, str],
    headers: dict[str, str],
) -> None:
    parts = iter(segments)
    path = "/".join(
        quote(next(parts), safe="") if part.startswith("{") else part
        for part in row.path.split("/")
    )
    if query:
        path += "?" + "&".join(f"{quote(k)}={quote(v)}" for k, v in query.items())
    if row.method == "DELETE" or row.path.endswith("/roles/{role}"):
        who = min(who, 1) * 4  # the accounts of this test must stay what they are
    answer = askers[who](row.method, path, body, headers=headers)
    assert fine(answer), (row, answer)


@settings(max_examples=200, deadline=None)
@given(
    who=st.integers(0, len(Role)),
    method=st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "XYZ"]
    ),
    path=st.text(st.characters(codec="utf-8"), max_size=30),
)
def test_paths(askers: list[Asker], who: int, method: str, path: str) -> None:
    answer = askers[who](method, "/api/" + quote(path, safe="/%?&="))
    assert fine(answer), answer


@settings(max_examples=100, deadline=None)
@given(
    authorization=st.binary(max_size=80),
    scheme=st.sampled_from([b"", b"Bearer ", b"Basic ", b"bearer\t"]),
)
def test_credentials(askers: list[Asker], authorization: bytes, scheme: bytes) -> None:
    field = (scheme + authorization).decode("latin-1")
    answer = askers[0].get("/api/v1/me", headers={"authorization": field})
    assert answer.status in (400, 401, 423)
    assert answer.is_problem


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=40) | JSON.map(lambda v: json.dumps(v).encode()), max_size=5)
)
def test_bulk(askers: list[Asker], lines: list[bytes]) -> None:
    requester = askers[1 + list(Role).index(Role.REQUESTER)]
    answer = requester.post("/api/v1/requests/bulk", b"\n".join(lines))
    assert fine(answer), answer
