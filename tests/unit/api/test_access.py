"""T10: every route against everybody who might come, generated from the route table."""

import re
from itertools import product

import pytest
from asking import Asker

from chancery.api.application import DOORS
from chancery.api.routing import Access, GuardedRoute
from chancery.api.submit import ACCESS
from chancery.domain.identity import GRANTS, Permission, Role

ROUTES = [
    ACCESS,
    *(row for door in DOORS for row in door.access()),
]
ROLES = [role.value for role in Role]
BODIES = {"POST": {}, "PUT": {}, "PATCH": {}}


def sample(path: str, own: str = "0") -> str:
    """Fill a path template with the asker's *own* name, and with ids of nothing."""
    return re.sub(r"\{[^}]+\}", "0", path.replace("/users/{name}", f"/users/{own}"))


def allowed(row: Access, granted: frozenset[Permission]) -> bool:
    return any(p in granted for p in row.permissions)


def shown(row: Access) -> str:
    return f"{row.method} {row.path}"


def test_the_table_is_the_whole_api(house) -> None:  # type: ignore[no-untyped-def]
    """A route outside the table raises TypeError in ``access``."""
    documents = {("GET", "/api/openapi.json"), ("GET", "/api/docs")}
    assert {(row.method, row.path) for row in house.api.access} == documents | {
        (row.method, row.path) for row in ROUTES
    }
    assert len(house.api.access) == len({(row.method, row.path) for row in house.api.access})


def test_a_route_without_a_permission_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="declares no permission"):
        GuardedRoute("/secret", lambda: None)


def test_nobody_passes_without_permission(house) -> None:  # type: ignore[no-untyped-def]
    everybody = frozenset({Permission.PUBLIC})
    for row in ROUTES:
        anonymous = house.anonymous(row.method, sample(row.path), BODIES.get(row.method))
        assert (anonymous.status == 401) is not allowed(row, everybody), (
            shown(row),
            anonymous.body,
        )


@pytest.mark.parametrize("false", ["expired", "disabled", "forged", "guessed"])
def test_a_false_credential_is_worse_than_none(house, false: str) -> None:  # type: ignore[no-untyped-def]
    if false == "forged":
        asker = house.anonymous.as_bearer("chy_forged")
    elif false == "guessed":
        asker = house.anonymous.as_basic("administrator", "x" * 20)
    else:
        asker = house.by(false)
    for row in ROUTES:
        answer = asker(row.method, sample(row.path), BODIES.get(row.method))
        assert answer.status in (401, 423), shown(row)  # a guesser is locked out at last


@pytest.mark.parametrize("role", Role)
def test_each_role_passes_where_it_may_and_only_there(house, role: Role) -> None:  # type: ignore[no-untyped-def]
    for row in ROUTES:
        body = BODIES.get(row.method)
        path = sample(row.path, role.value if Permission.AUTHENTICATED in row.permissions else "0")
        signed_in = GRANTS[role] | {Permission.PUBLIC, Permission.AUTHENTICATED}
        for name, granted in (
            (role.value, signed_in),
            (f"narrow-{role.value}", frozenset({Permission.PUBLIC, Permission.AUTHENTICATED})),
        ):
            status = house.by(name)(row.method, path, body).status
            if row is ACCESS:  # public for strangers; an account needs the permission as well
                expected = Permission.REQUEST_SUBMIT in granted
            else:
                expected = allowed(row, granted)
            assert (status != 403) is expected, (shown(row), name, status)
            assert status not in (401, 500), shown(row)


TRICKS = [
    "/api//v1/users",
    "/api/v1/users/",
    "/api/v1/./users",
    "/API/V1/USERS",
    "/api/v1/users%2f",
    "/api/v1/%75sers%00",
]


@pytest.mark.parametrize(
    ("path", "header"),
    [*product(TRICKS, ["x-http-method-override", "x-original-url"])],
)
def test_no_path_trick_opens_a_route(house, path: str, header: str) -> None:  # type: ignore[no-untyped-def]
    answer = house.anonymous.get(path, headers={header: "/api/v1/me"})
    assert answer.status in (401, 404)
    assert answer.is_problem


@pytest.mark.parametrize(
    "name", ["x-ssl-cert", "x-client-cert", "client-cert", "x-forwarded-user", "x-forwarded-for"]
)
def test_no_header_of_a_proxy_is_believed(house, name: str) -> None:  # type: ignore[no-untyped-def]
    assert house.anonymous.get("/api/v1/me", headers={name: "administrator"}).status == 401


def test_two_credentials_are_refused(house) -> None:  # type: ignore[no-untyped-def]
    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        scope["headers"] += [(b"authorization", b"Bearer chy_x")]
        await house.api(scope, receive, send)

    answer = Asker(app).as_bearer(house.tokens["auditor"]).get("/api/v1/me")
    assert (answer.status, answer.json["rule"]) == (400, "authorization.single")
