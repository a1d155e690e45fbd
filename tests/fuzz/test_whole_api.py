"""The application as it is served, real services behind every route: whatever is sent, never a 500."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asking import Asker
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.api.application import DOORS
from chancery.api.routing import Access
from chancery.api.submit import ACCESS
from chancery.app.office import open_office
from chancery.app.quickstart import quickstart
from chancery.app.signer_process import running_signer
from chancery.app.worker import application
from chancery.domain.identity import GRANTS, Permission, Role
from chancery.settings import load
from services.csr import p256_csr

ROUTES: list[Access] = [ACCESS, *(row for door in DOORS for row in door.access())]
USERS = {
    "admin": Role.ADMINISTRATOR,
    "officer1": Role.RA_OFFICER,
    "operator": Role.CA_OPERATOR,
    "auditor": Role.AUDITOR,
    "requester": Role.REQUESTER,
}
CSR = p256_csr("fuzz.example.org")


@pytest.fixture(scope="module")
def askers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Asker]]:
    """Everybody there is, and a stranger, before an office of its own."""
    directory = tmp_path_factory.mktemp("whole") / "instance"
    quickstart(directory)
    configured = load(directory / "chancery.toml")
    with running_signer(configured.signer), open_office(configured) as office:
        stranger = Asker(application(office))
        found = {"": stranger}
        for name in USERS:
            token = Path(directory / "secrets" / "tokens" / f"{name}.token").read_text().strip()
            found[name] = stranger.as_bearer(token)
        yield found


@pytest.fixture(scope="module")
def parameters(askers: dict[str, Asker]) -> dict[tuple[str, str], list[str]]:
    """What each operation takes in its query, as the API describes itself."""
    described = askers[""].get("/api/openapi.json").json["paths"]
    return {
        (method.upper(), path): [
            one["name"] for one in operation.get("parameters", []) if one["in"] == "query"
        ]
        for path, operations in described.items()
        for method, operation in operations.items()
    }


NAMES = [
    "main", "service", "root-ca", "issuing-ca", "tls-server", "tls", "any-subject", "officers",
    "admin", "requester", "new", "bulk", "0", "a" * 65, "subordinate-ca", "administrator",
]  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
WORDS = st.sampled_from(NAMES) | TEXT
NUMBERS = st.integers() | st.integers(-2, 400) | st.sampled_from([2**31, 2**63, 2**64, 10**30])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.sampled_from([CSR, "dns:a.example.org", "CN=x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
DOCUMENTS: dict[str, dict[str, Any]] = {
    "/api/v1/requests": {"profile": "tls-server", "ra": "main", "csr": CSR},
    "/api/v1/authorities": {"name": "x", "container": "main", "subject": "CN=x", "parent": "root-ca",
                            "extensions": {"days": 10}, "key_algorithm": "ec-p256"},
    "/api/v1/authorities/import": {"name": "x", "container": "main", "certificate": CSR},
    "/api/v1/authorities/{name}/renew": {"days": 3, "new_key": True},
    "/api/v1/authorities/{name}/cross-sign": {"certificate": CSR, "days": 3},
    "/api/v1/authorities/{name}/certificate": {"certificate": CSR, "chain": CSR},
    "/api/v1/users": {"name": "x", "roles": ["requester"], "password": "correct horse battery"},
    "/api/v1/users/{name}": {"email": "a@example.org", "disabled": False},
    "/api/v1/ras/{name}": {"name": "x", "profiles": ["tls-server"], "authorities": ["issuing-ca"],
                           "approval_group": "officers", "approvals": 1, "anonymous": False},
    "/api/v1/profiles/{name}": {"name": "x", "validity_s": 86400, "san": [{"kind": "dns"}],
                                "key_usage": ["digitalSignature"], "extended_key_usage": ["1.3.6.1.5.5.7.3.1"]},
    "/api/v1/dn-profiles/{name}": {"name": "x", "rules": [{"oid": "2.5.4.3", "source": "csr"}]},
    "/api/v1/certificates/{serial}/revoke": {"reason": "superseded", "invalidity_date": 3},
    "/api/v1/session/token": {"label": "x", "days": 3, "scopes": ["request.submit"]},
}  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn, path: str) -> Any:
    """A plausible document with something wrong in it, or anything at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(VALUES | st.binary(max_size=40))
    document = dict(DOCUMENTS.get(path, {}))
    keys = st.sampled_from(sorted(document)) | WORDS if document else WORDS
    for key in draw(st.lists(keys, max_size=2)):
        if draw(st.booleans()):
            document[key] = draw(VALUES)
        else:
            document.pop(key, None)
    return document


def entitled(row: Access) -> list[str]:
    """Those whom the route lets in: the others learn nothing behind it."""
    return [
        name
        for name, role in USERS.items()
        if {Permission.PUBLIC, Permission.AUTHENTICATED, *GRANTS[role]} & set(row.permissions)
    ]


Call = tuple[str, str, str, Any]
"""(who, method, path with query, body)."""


@st.composite
def calls(draw: st.DrawFn, parameters: dict[tuple[str, str], list[str]]) -> Call:
    """*parameters*: those of the query, by method and path."""
    row = draw(st.sampled_from(ROUTES))
    path = "/".join(
        quote(draw(WORDS.filter(bool)), safe="") if part.startswith("{") else part
        for part in row.path.split("/")
    )
    known = parameters.get((row.method, row.path), [])
    if draw(st.booleans()):
        known = [*known, "x"] if draw(st.integers(0, 9)) == 0 else known
        names = draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
        path += "?" + "&".join(f"{key}={quote(draw(WORDS | NUMBERS.map(str)))}" for key in names)
    body = draw(bodies(row.path)) if row.method in ("POST", "PUT", "PATCH") else None
    who = draw(st.sampled_from([*entitled(row) * 3, "", *USERS]))
    return who, row.method, path, body


def sound(answer: Any) -> bool:
    """Success, or a refusal in our words; and no fault of ours, whatever its number."""
    if answer.status < 400:
        return True
    return answer.status < 500 and bool(answer.is_problem)


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_every_route(
    askers: dict[str, Asker], parameters: dict[tuple[str, str], list[str]], data: st.DataObject
) -> None:
    who, method, path, body = call = data.draw(calls(parameters))
    if method == "DELETE" and any(f"/{name}" in path for name in USERS):
        return  # those who ask must stay
    answer = askers[who](method, path, body)
    assert sound(answer), (call, answer)


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(["/ocsp/issuing-ca", "/crl/issuing-ca.crl", "/ca/root-ca.cer", "/healthz"])
    | TEXT.map(lambda text: "/" + quote(text)),
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "TRACE"]),
    body=st.binary(max_size=200) | st.none(),
    more=TEXT,
)
def test_what_everybody_may_ask(
    askers: dict[str, Asker], path: str, method: str, body: bytes | None, more: str
) -> None:
    plain = askers[""](method, f"{path}/{quote(more)}" if more else path, body)
    assert plain.status < 500, (path, method, body, more, plain)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(bodies("/api/v1/requests"), min_size=1, max_size=4))
def test_bulk(askers: dict[str, Asker], lines: list[Any]) -> None:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    answer = askers["requester"]("POST", "/api/v1/requests/bulk", b"\n".join(encoded))
    assert sound(answer), answer
    if answer.status == 200:
        answers = [json.loads(line) for line in answer.body.splitlines()]
        assert [one["index"] for one in answers] == list(range(len(answers)))
        assert all(one.get("error", {"status": 400})["status"] < 500 for one in answers), answers
