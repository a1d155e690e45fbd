"""``chancery acme``: what each command asks of the server."""

import json
from typing import Any

import pytest

DOOR = {"name": "acme/main", "protocol": "acme", "label": "main"}
MADE = {"id": "C", "reference": "kid-1", "secret": "c2VjcmV0", "expires_at": None}
PAGE: dict[str, Any] = {"items": [], "next": None}

# argv, method, path, query, body, answer
CASES: list[tuple[str, str, str, dict[str, str], Any, Any]] = [
    ("acme eab revoke C", "POST", "/credentials/C/revoke", {}, None, {"id": "C"}),
    ("acme account list --door acme/main --status valid", "GET", "/acme/accounts", {"door": "acme/main", "status": "valid", "limit": "500"}, None, PAGE),
    ("acme account show A", "GET", "/acme/accounts/A", {}, None, {"id": "A"}),
    ("acme account deactivate A", "POST", "/acme/accounts/A/deactivate", {}, None, {"id": "A"}),
    ("acme order list --account A", "GET", "/acme/orders", {"account": "A", "limit": "500"}, None, PAGE),
    ("acme order show O", "GET", "/acme/orders/O", {}, None, {"id": "O"}),
    (
        "acme renew-early --authority web --issued-before 2026-11-01 --within 48h --note why",
        "POST", "/acme/early-renewals", {},
        {"authority": "web", "issued_before": 1_793_491_200, "lasting_s": 172_800, "explanation": "", "note": "why"},
        {"id": "E"},
    ),
    ("acme renewals", "GET", "/acme/early-renewals", {"limit": "500"}, None, []),
    ("acme renew-normally E", "DELETE", "/acme/early-renewals/E", {}, None, {}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case[0].split(" --")[0] for case in CASES])
def test_asks_for(case: Any, server: Any, run: Any) -> None:
    argv, method, path, query, body, answer = case
    server.on(method, path, answer)
    finished = run(*argv.split(), "--json")
    assert finished.code == 0, finished
    asked = server.seen[0]
    assert (asked.method, asked.path, asked.query) == (method, "/api/v1" + path, query)
    assert (asked.json if asked.body else None) == body


def test_an_external_account_key_is_made_for_the_door_of_an_ra(server: Any, run: Any) -> None:
    server.on("GET", "/doors", [DOOR])
    server.on("POST", "/credentials", MADE)
    made = run(
        "acme", "eab", "create", "--ra", "main", "--subject-suffix", ".example.org", "--json"
    )
    assert made.code == 0, made
    assert json.loads(made.out) == {
        "id": "C",
        "kid": "kid-1",
        "hmac_key": "c2VjcmV0",
        "door": "acme/main",
        "expires_at": None,
    }
    asked = server.seen[-1].json
    assert asked["binding"]["name_patterns"] == [".example.org"]
    assert (asked["kind"], asked["uses"], asked["expires_s"]) == ("account", None, None)
    server.on("GET", "/credentials", PAGE)
    assert run("acme", "eab", "list", "--json").code == 0
    assert server.seen[-1].query["door"] == "acme/main"
