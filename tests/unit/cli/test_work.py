"""Commands of work in the background: what each asks of the server, and when it asks a person."""

import json
from pathlib import Path
from typing import Any

import pytest

from chancery.cli.application import build

HASH = "ab" * 32
PREVIEW = {
    "as_of": 1_790_000_000_123,
    "count": 3,
    "sha256": HASH,
    "parts": [{"authority": "ca", "profile": "p", "count": 3}],
    "first": [{"serial": "abcd", "status": "valid", "subject": "CN=www"}],
}
DONE = {
    "id": "OP", "kind": "revoke", "state": "done", "total": 3, "done": 2, "skipped": 1, "failed": 0,
    "failure": None,
}  # fmt: skip
TEMPLATE = {"event": "test", "subject": "s", "text": "t", "html": None, "version": 1}
FILLED = {"subject": "s", "text": "one\ntwo", "html": "<p>"}
COUNT = {
    "name": "n",
    "value": 1000,
    "more": True,
    "list": "requests",
    "where": {"state": "pending"},
}
PAGE: dict[str, Any] = {"items": [], "next": None}
HOME = {"waiting": [COUNT], "own": COUNT, "counts": []}

# argv, method, path, query, body, answer
CASES: list[tuple[str, str, str, dict[str, str], Any, Any]] = [
    ("operation list --state running", "GET", "/operations", {"state": "running", "limit": "101"}, None, PAGE),
    ("operation show OP", "GET", "/operations/OP", {}, None, DONE),
    ("operation failures OP", "GET", "/operations/OP/failures", {"limit": "500"}, None, PAGE),
    ("operation watch OP", "GET", "/operations/OP", {}, None, DONE),
    ("operation cancel OP", "POST", "/operations/OP/cancel", {}, None, DONE),
    ("job list --state failed --kind message", "GET", "/jobs", {"state": "failed", "kind": "message", "limit": "101"}, None, PAGE),
    ("job show J", "GET", "/jobs/J", {}, None, {"id": "J"}),
    ("job retry J", "POST", "/jobs/J/retry", {}, None, {"id": "J"}),
    ("job discard J", "DELETE", "/jobs/J", {}, None, {}),
    ("figures now", "GET", "/figures", {}, None, HOME),
    ("figures daily --days 7 --authority a --profile p", "GET", "/figures/daily", {"days": "7", "authority": "a", "profile": "p"}, None, []),
    ("notification channels", "GET", "/notifications/channels", {}, None, []),
    ("notification test mail --address a@example.org", "POST", "/notifications/channels/mail/test", {}, {"address": "a@example.org"}, {"id": "M"}),
    ("notification test webhook:crm", "POST", "/notifications/channels/webhook%3Acrm/test", {}, {}, {"id": "M"}),
    (
        "notification list --state failed --channel mail --recipient r --event test --about x",
        "GET", "/notifications",
        {"state": "failed", "channel": "mail", "recipient": "r", "event": "test", "about": "x", "limit": "101"},
        None, PAGE,
    ),
    ("notification show M", "GET", "/notifications/M", {}, None, {"id": "M"}),
    ("notification retry M", "POST", "/notifications/M/retry", {}, None, {"id": "M"}),
    ("notification unwanted", "GET", "/notifications/preferences", {}, None, {"unwanted": []}),
    ("notification unwanted all", "PUT", "/notifications/preferences", {}, {"unwanted": ["*"]}, {"unwanted": ["*"]}),
    ("notification unwanted crl.late test", "PUT", "/notifications/preferences", {}, {"unwanted": ["crl.late", "test"]}, {"unwanted": []}),
    ("notification template list", "GET", "/notifications/templates", {}, None, []),
    ("notification template show test", "GET", "/notifications/templates/test", {}, None, TEMPLATE),
    ("notification template versions test", "GET", "/notifications/templates/test/versions", {}, None, []),
    ("notification template preview test {text} --subject s", "POST", "/notifications/templates/test/preview", {}, {"subject": "s", "text": "hi\n"}, FILLED),
    ("notification template put test {text} --subject s --html {text}", "PUT", "/notifications/templates/test", {}, {"subject": "s", "text": "hi\n", "html": "hi\n"}, TEMPLATE),
    ("notification template reset test", "DELETE", "/notifications/templates/test", {}, None, TEMPLATE),
]  # fmt: skip
OTHERS = {"certificate revoke-matching", "operation approve", "operation deny"}


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "text.txt").write_text("hi\n")
    return {"text": tmp_path / "text.txt"}


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
@pytest.mark.parametrize("case", CASES, ids=[case[0].split(" --")[0] for case in CASES])
def test_asks_for(case: Any, as_json: bool, server: Any, run: Any, words: dict[str, Path]) -> None:
    argv, method, path, query, body, answer = case
    server.on(method, path, answer)
    server.on("GET", "/notifications/templates/test/values", {"by": "ada"})
    finished = run(
        *(word.format(**words) for word in argv.split()), *(["--json"] if as_json else [])
    )
    assert finished.code == 0, finished
    assert finished.err in {"", "note: nothing found\n"}
    asked = server.seen[0]
    assert (asked.method, asked.path, asked.query) == (method, "/api/v1" + path, query)
    assert (asked.json if asked.body else None) == body
    if as_json:
        json.loads(finished.out)


def test_every_command_of_work_is_here() -> None:
    app = build()
    found = {
        f"{group} {name}"
        for group in ("operation", "job", "figures")
        for name in app[group]
        if not name.startswith("-")
    }
    found |= {
        f"notification {name}"
        for name in app["notification"]
        if not name.startswith("-") and name != "template"
    }
    found |= {
        f"notification template {name}"
        for name in app["notification"]["template"]
        if not name.startswith("-")
    }
    asked = {" ".join(case[0].split()[:2]) for case in CASES}
    asked |= {" ".join(case[0].split()[:3]) for case in CASES}
    assert found - asked - OTHERS == set()


@pytest.fixture
def office(server: Any) -> Any:
    server.on("POST", "/operations/revoke/preview", PREVIEW)
    server.on("POST", "/operations/revoke", DONE | {"state": "waiting", "done": 0, "skipped": 0})
    server.on("GET", "/operations/OP", DONE)
    return server


WHERE = (
    "--profile",
    "p",
    "--subject",
    "CN=a*",
    "--expires-before",
    "1900000000",
    "--status",
    "held",
)
REVOKE = ("certificate", "revoke-matching", "--reason", "superseded", *WHERE)


def test_what_was_shown_is_what_is_ordered(office: Any, run: Any) -> None:
    finished = run(*REVOKE, "--comment", "gone", "--yes", "--json")
    assert finished.code == 0, finished
    first, second, third = office.seen
    where = {"profile": "p", "subject": "CN=a*", "expires_before": 1_900_000_000, "status": "held"}
    assert first.json == {"filter": where}
    assert second.json == {
        "filter": where, "reason": "superseded", "comment": "gone",
        "as_of": PREVIEW["as_of"], "count": 3, "sha256": HASH,
    }  # fmt: skip
    assert third.path == "/api/v1/operations/OP"
    assert json.loads(finished.out) == DONE


def test_without_a_yes_nothing_is_ordered(office: Any, run: Any) -> None:
    finished = run(*REVOKE)
    assert finished.code == 2
    assert "nobody can be asked" in finished.err
    assert "3 of p from ca" in finished.err
    assert [one.path for one in office.seen] == ["/api/v1/operations/revoke/preview"]


def test_a_dry_run_only_shows(office: Any, run: Any) -> None:
    finished = run(*REVOKE, "--dry-run")
    assert finished.code == 0
    assert "CN=www" in finished.out
    assert len(office.seen) == 1


def test_nothing_found_is_an_error(server: Any, run: Any) -> None:
    server.on(
        "POST", "/operations/revoke/preview", PREVIEW | {"count": 0, "first": [], "parts": []}
    )
    assert run(*REVOKE, "--yes").code == 2


@pytest.mark.parametrize(
    ("ended", "code"),
    [({"failed": 1}, 3), ({"state": "cancelled"}, 3), ({"state": "failed", "failure": "why"}, 7)],
)
def test_the_exit_code_says_how_it_ended(
    server: Any, run: Any, ended: dict[str, Any], code: int
) -> None:
    server.on("GET", "/operations/OP", DONE | ended)
    finished = run("operation", "watch", "OP")
    assert finished.code == code
    assert ("why" in finished.err) is (code == 7)


def test_no_wait(office: Any, run: Any) -> None:
    finished = run(*REVOKE, "--yes", "--no-wait", "--json")
    assert finished.code == 0
    assert json.loads(finished.out)["state"] == "waiting"
    assert len(office.seen) == 2


def test_requests_are_decided_as_they_were_shown(server: Any, run: Any) -> None:
    one = {"id": "A", "content_sha256": HASH, "profile": "p", "requester": "r", "subject": "CN=x"}
    server.on("GET", "/requests/A", one)
    server.on("GET", "/requests", {"items": [one], "next": None})
    server.on("POST", "/operations/decide", DONE)
    pair = {"id": "A", "content_sha256": HASH}
    assert run("operation", "approve", "A", "--yes").code == 0
    assert server.seen[-1].json == {"approve": True, "requests": [pair]}
    assert run("operation", "deny", "--ra", "main", "--reason", "no", "--yes").code == 0
    assert server.seen[-1].json == {"approve": False, "reason": "no", "requests": [pair]}
    assert server.seen[-2].query["ra"] == "main"
    asked = run("operation", "approve", "A")
    assert asked.code == 2
    assert "CN=x" in asked.err
    assert run("operation", "approve").code == 2
    assert run("operation", "approve", "A", "--ra", "main", "--yes").code == 2
