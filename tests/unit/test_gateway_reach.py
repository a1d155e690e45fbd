"""What a gateway reaches, held against every page and route there is."""

import re

import pytest

from chancery.api.application import DOORS
from chancery.api.submit import ACCESS
from chancery.server.gateway_reach import OPEN, ROUTES, reaches
from chancery.web.application import SECTIONS

EVERYTHING = sorted(
    {
        (ACCESS.method, ACCESS.path),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/docs"),
        *((row.method, row.path) for door in DOORS for row in door.access()),
        *((row.method, row.path) for pages in SECTIONS for row in pages.access()),
    }
)
LISTED = {tuple(line.split(" ", 1)) for line in ROUTES.splitlines() if line}


def sample(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "0", path)


def test_every_line_of_the_table_is_a_route() -> None:
    assert not LISTED - set(EVERYTHING)


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_what_is_listed_is_reached_and_nothing_else(method: str, path: str) -> None:
    assert reaches(method, sample(path)) is ((method, path) in LISTED)


def test_what_no_table_holds() -> None:
    assert reaches("GET", "/static/abc/vendor/htmx/htmx.min.js")
    assert reaches("HEAD", "/crl/issuing-ca.crl")
    assert reaches("GET", "/ocsp/issuing-ca/MFEwTz/BNMEs%2F")
    assert OPEN.count("\n") == 7


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/readyz", "/api/v1/users/", "/api//v1/requests", "/API/V1/requests"),
        *("/console/requests/1/approve/", "/requests/1/download/", "/console/", "//", ""),
        *("/console/requests/../people", "/static/", "/api/v1/requests/1//approve"),
    ],
)
def test_no_trick_reaches_more(path: str) -> None:
    assert not reaches("GET", path)
    assert not reaches("POST", path)
    assert not reaches("TRACE", "/")
