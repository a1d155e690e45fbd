"""Doors that are shut for maintenance, and the one who answers for a sealed signer."""

import asyncio
import json
from typing import Any

import pytest

from chancery.server.maintenance import Maintenance, Trouble
from chancery.server.standing_in import told

TROUBLE = Trouble("the certificate <expired>", "renew it")


async def inside(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


def ask(trouble: Trouble | None, path: str = "/api/v1/x", accept: bytes = b"") -> tuple[Any, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    door = Maintenance(lambda: trouble).guard(inside)  # type: ignore[arg-type]
    scope = {"type": "http", "path": path, "headers": [(b"accept", accept)]}
    asyncio.run(door(scope, None, send))  # type: ignore[arg-type]
    return sent[0], sent[1]["body"]


def test_serves_where_there_is_no_trouble() -> None:
    start, body = ask(None)
    assert (start["status"], body) == (200, b"served")


def test_programs_are_told_how_to_get_out() -> None:
    start, body = ask(TROUBLE)
    document = json.loads(body)
    assert start["status"] == document["status"] == 503
    assert (document["rule"], document["remedy"]) == ("maintenance", "renew it")
    assert (b"retry-after", b"30") in start["headers"]


@pytest.mark.parametrize("path", ["/console", "/"])
def test_people_see_a_page_without_scripts(path: str) -> None:
    start, body = ask(TROUBLE, path, b"text/html,*/*")
    assert start["status"] == 503
    assert b"&lt;expired&gt;" in body
    assert b"<script" not in body


def test_ready_says_the_same() -> None:
    assert Maintenance(lambda: TROUBLE).check() == "the certificate <expired>: renew it"
    assert Maintenance(lambda: None).check() is None


def test_a_sealed_signer_says_who_is_needed() -> None:
    standing = {"given": ["ada"], "missing": 2, "threshold": 3, "holders": ["ada", "eva", "mary"]}
    why, remedy = told(standing)
    assert why == "sealed: 1 of 3 shares were given (ada), 2 more needed"
    assert remedy == "on the server, let 2 of eva, mary run `chancery unseal`"
    assert told(None)[0] == "the signer is starting"
