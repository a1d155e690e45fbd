"""The OpenAPI document and the page made of it."""

import json
import re
from html.parser import HTMLParser
from typing import Any

from chancery.api.documentation import POLICY
from chancery.api.submit import ACCESS

NO_CONTENT = {"204"}


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_it_describes_every_route_with_its_permission(house: Any) -> None:
    document = house.anonymous.get("/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    described = operations(document)
    documents = {"/api/openapi.json", "/api/docs"}
    assert {key: op["x-permission"] for key, op in described.items()} == {
        (row.method, row.path.replace(":path", "")): [p.value for p in row.permissions]
        for row in house.api.access
        if row.path not in documents
    }


def test_every_operation_says_what_it_does_and_how_to_sign_in(house: Any) -> None:
    document = house.anonymous.get("/api/openapi.json").json
    for key, operation in operations(document).items():
        assert operation["description"].endswith((".", "``.")), key
        assert ({} in operation["security"]) is (operation["x-permission"] == ["public"]), key
        assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))


def test_the_hot_way_is_described_like_the_others(house: Any) -> None:
    document = house.anonymous.get("/api/openapi.json").json
    operation = operations(document)[ACCESS.method, ACCESS.path]
    schemas = document["components"]["schemas"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert schemas[body.rpartition("/")[2]]["additionalProperties"] is False
    assert {"profile", "csr", "names", "subject"} <= set(schemas["SubmitBody"]["properties"])


def test_every_reference_leads_somewhere(house: Any) -> None:
    document = house.anonymous.get("/api/openapi.json").json
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert reference.startswith("#/components/schemas/")
        assert reference.rpartition("/")[2] in document["components"]["schemas"], reference


class Page(HTMLParser):
    """Collects what a page loads and where it points."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "link", "iframe", "object"}:
            self.loaded.append(tag)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.links += [given["href"] or ""] if "href" in given else []
        self.ids |= {given["id"] or ""} if "id" in given else set()


def test_the_page_needs_nothing_from_anywhere(house: Any) -> None:
    answer = house.anonymous.get("/api/docs")
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")
    page = Page()
    page.feed(answer.body.decode())
    assert page.loaded == []
    assert page.inline == []
    assert all(link == "openapi.json" or link[1:] in page.ids for link in page.links)
    assert "/api/v1/requests" in answer.body.decode()
