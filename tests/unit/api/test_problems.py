"""Every failure has one shape, and no text of a bug leaves the house."""

from typing import Any

import pytest
from asking import Asker
from starlette.types import Receive, Scope, Send

from chancery.api.guard import MAX_BODY, Guard
from chancery.api.problems import PROBLEMS, problem
from chancery.domain import errors

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.CAError)]
LEAVES = [k for k in KINDS if k is not errors.CAError]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_has_its_own_row(kind: type[errors.CAError]) -> None:
    assert kind in {row[0] for row in PROBLEMS}
    document = problem(kind("why", field="csr", rule="a.rule", remedy="do this"))
    assert document["detail"] == "why"
    assert (document["field"], document["rule"], document["remedy"]) == ("csr", "a.rule", "do this")


@pytest.mark.parametrize("later", range(len(PROBLEMS)))
def test_no_row_hides_a_later_one(later: int) -> None:
    kind = PROBLEMS[later][0]
    assert not any(issubclass(kind, earlier[0]) for earlier in PROBLEMS[:later])


def test_no_two_rows_share_a_name() -> None:
    assert len({row[2] for row in PROBLEMS}) == len(PROBLEMS)


def test_the_text_of_a_bug_stays_inside() -> None:
    assert problem(KeyError("sqlite:///secret.db"))["detail"] == "internal error"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nonsense", 404),
        ("GET", "/api", 404),
        ("PUT", "/api/v1/users", 405),
        ("GET", "/api/v1/session/token", 405),
        ("TRACE", "/api/v1/me", 405),
        ("DELETE", "/api/v1/requests", 405),
    ],
)
def test_unknown_routes_and_methods(house: Any, method: str, path: str, status: int) -> None:
    answer = house.by("administrator")(method, path)
    assert answer.status == status
    assert answer.is_problem


@pytest.mark.parametrize(
    ("body", "status", "field", "rule"),
    [
        (b"", 422, "body", "missing"),
        (b"{", 400, "body", "json_invalid"),
        (b"[]", 422, "body", "model_attributes_type"),
        (b'"\xff"', 400, None, None),
        ({}, 422, "name", "missing"),
        ({"name": 5}, 422, "name", "string_type"),
        ({"name": "rita", "rolls": []}, 422, "rolls", "extra_forbidden"),
        ({"name": "rita", "roles": ["king"]}, 422, "roles.0", "enum"),
        ({"name": "R"}, 400, "name", "name.syntax"),
        (b"[" * 100_000, 400, None, None),
        ({"name": "rita", "email": "a\0b"}, 422, "body", "text.nul"),
        (b'{"name": "rita", "email": "\\ud800"}', 422, "email", "string_unicode"),
    ],
)
def test_bad_bodies_name_field_and_rule(
    house: Any, body: Any, status: int, field: str | None, rule: str | None
) -> None:
    answer = house.by("administrator").post("/api/v1/users", body)
    assert answer.status == status, answer.body
    assert answer.is_problem
    if field is not None:
        assert (answer.json["field"], answer.json["rule"]) == (field, rule)


@pytest.mark.parametrize(
    ("path", "body", "detail", "remedy"),
    [
        ("requests/1/approve", {"content_sha256": "00"}, "content_sha256: 64 hex digits", "request show"),
        ("session/token", {"days": 99_999}, "days: at most 3650", "openapi"),
        ("session/token", {"days": "3"}, "days: expected a whole number", "openapi"),
        ("session/token", {"scopes": ["nope"]}, "no permission 'nope'", "one of: audit.read, "),
        ("session/token", {"lable": "x"}, "lable: there is no such field", "spelling"),
        ("requests", {"profile": "x", "days": 0}, "days: at least 1", "leave it out"),
        ("requests", {"profile": "x", "days": "1"}, "days: expected a whole number or null, not text", ""),
        ("requests", {"days": 1}, "profile: 'profile' is missing", "profile list"),
        ("requests", {"profile": "x", "dayz": 1}, "dayz: there is no field 'dayz'", "spelling"),
        ("requests", {"profile": "x" * 200}, "profile: at most 128 characters", "profile list"),
    ],
)  # fmt: skip
def test_bad_bodies_are_told_in_words(
    house: Any, path: str, body: Any, detail: str, remedy: str
) -> None:
    answer = house.by("ra-officer").post(f"/api/v1/{path}", body)
    assert answer.status in (400, 422)
    assert detail in answer.json["detail"]
    assert remedy in answer.json["remedy"]
    assert "`" not in answer.json["detail"]


@pytest.mark.parametrize(
    "query", ["colour=blue", "serail=5a", "status=valid&requestr=x", "Limit=3", "=", "a=1&a=2"]
)
def test_a_misspelt_condition_does_not_find_everything(house: Any, query: str) -> None:
    answer = house.by("auditor").get(f"/api/v1/certificates?{query}")
    assert (answer.status, answer.json["rule"]) == (422, "query.unknown")
    assert "requester" in answer.json["remedy"]


def test_paging_is_taken_everywhere(house: Any) -> None:
    assert house.by("administrator").get("/api/v1/users?limit=500").status == 200


@pytest.mark.parametrize(
    "path", ["/api/v1/users/%00", "/api/v1/users?cursor=%00", "/api/v1/users/a%00"]
)
def test_nul_is_nowhere(house: Any, path: str) -> None:
    answer = house.by("administrator").get(path)
    assert (answer.status, answer.json["rule"]) == (422, "text.nul")


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/requests", "/api/v1/session/token"])
@pytest.mark.parametrize("honest", [True, False], ids=["declared", "undeclared"])
def test_bodies_have_a_bound(house: Any, path: str, honest: bool) -> None:
    headers = {} if honest else {"content-length": "0", "transfer-encoding": "chunked"}
    who = house.by("administrator" if path != "/api/v1/requests" else "requester")
    answer = who.post(path, b"x" * (MAX_BODY + 1), headers=headers, pieces=9)
    assert answer.status == 413
    assert answer.is_problem
    assert answer.headers["connection"] == "close"


def test_permission_is_asked_before_the_body_is_read(house: Any) -> None:
    assert house.anonymous.post("/api/v1/users", b"{").status == 401
    assert house.by("auditor").post("/api/v1/users", b"{").status == 403


def test_a_bug_is_reported_as_such_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("sqlite:///secret.db")

    answer = Asker(Guard(broken)).get("/api/v1/me")
    assert (answer.status, answer.json["type"]) == (500, "urn:chancery:problem:internal")
    assert b"secret" not in answer.body
    assert "secret.db" in caplog.text


@pytest.mark.parametrize(
    "path", ["/api/v1/me", "/api/v1/nonsense", "/api/docs", "/api/openapi.json"]
)
def test_security_headers_are_on_every_answer(house: Any, path: str) -> None:
    for scheme in ("https", "http"):
        headers = Asker(house.api, scheme=scheme).get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert ("strict-transport-security" in headers) is (scheme == "https")


def test_a_401_says_how_to_sign_in(house: Any) -> None:
    assert house.anonymous.get("/api/v1/me").headers["www-authenticate"].startswith("Bearer ")
