"""Every way to fail has one exit code, one sentence, and nothing on stdout."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from chancery.cli.client import STATUSES
from chancery.cli.failures import EXIT_CODES, exit_code
from chancery.domain import errors

from .conftest import Answer, self_signed

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.CAError) and kind is not errors.CAError
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_an_exit_code(kind: type[errors.CAError]) -> None:
    assert any(issubclass(kind, row[0]) for row in EXIT_CODES)


@pytest.mark.parametrize("later", range(len(EXIT_CODES)))
def test_no_row_hides_a_later_one(later: int) -> None:
    assert not any(issubclass(EXIT_CODES[later][0], earlier[0]) for earlier in EXIT_CODES[:later])


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *[(400, 2), (401, 5), (403, 5), (404, 4), (409, 6), (413, 2), (422, 2), (423, 5)],
        *[(429, 7), (500, 1), (502, 7), (503, 7), (418, 1), (302, 1)],
    ],
)
def test_exit_code_of_a_status(status: int, code: int, server: Any, run: Any) -> None:
    problem = {"detail": "too short", "field": "csr", "rule": "rsa.min-size", "remedy": "use 3072"}
    server.on("GET", "/requests/1", Answer(problem, status, {"Content-Type": "application/json"}))

    told = run("request", "show", "1")
    assert (told.code, told.out) == (code, "")
    assert told.err == "error: too short (csr, rsa.min-size) — use 3072\n"

    as_json = run("request", "show", "1", "--json")
    assert (as_json.code, as_json.out) == (code, "")
    assert json.loads(as_json.err) == problem | {"exit_code": code}


def test_statuses_lead_to_exit_codes() -> None:
    assert {exit_code(kind("x")) for kind in STATUSES.values()} == {1, 2, 4, 5, 6, 7}


def test_a_hostile_problem_cannot_steer_the_terminal(server: Any, run: Any) -> None:
    server.on("GET", "/requests/1", Answer({"detail": "\x1b]0;owned\x07\nroot#"}, 400))

    finished = run("request", "show", "1")

    assert finished.err == "error: \\x1b]0;owned\\x07\\x0aroot#\n"


def test_a_page_of_a_proxy_becomes_a_sentence(server: Any, run: Any) -> None:
    page = {"Content-Type": "text/html"}
    server.on("GET", "/me", Answer(b"<html>Bad Gateway</html>", 502, page))

    assert run("whoami").err == "error: the server answered 502 Bad Gateway\n"


def test_something_else_answers(server: Any, run: Any) -> None:
    server.on("GET", "/me", Answer(b"hello", 200))

    finished = run("whoami")

    assert finished.code == 1
    assert "not JSON" in finished.err


def test_without_a_token_it_says_so(server: Any, alone: Any, tls: Path) -> None:
    server.on("GET", "/me", Answer({"detail": "this needs an account"}, 401))

    finished = alone("whoami", "--url", server.url, "--ca-bundle", tls)

    assert finished.code == 5
    assert "CHANCERY_TOKEN_FILE" in finished.err


def test_no_server(alone: Any, tls: Path) -> None:
    finished = alone("whoami", "--url", "https://127.0.0.1:9", "--ca-bundle", tls)

    assert finished.code == 7
    assert "cannot reach https://127.0.0.1:9" in finished.err


def test_a_server_of_somebody_else(server: Any, alone: Any, tmp_path: Path) -> None:
    other = self_signed(tmp_path / "other.pem")

    finished = alone("whoami", "--url", server.url, "--ca-bundle", other)

    assert finished.code == 7
    assert "--ca-bundle" in finished.err
    assert server.seen == []


def test_a_slow_server(server: Any, run: Any) -> None:
    import time  # noqa: PLC0415

    def slow(_: object) -> Answer:
        time.sleep(0.3)
        return Answer()

    server.on("GET", "/me", slow)

    finished = run("whoami", "--timeout", "0.1")

    assert finished.code == 7
    assert "--timeout" in finished.err


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["whoami"], "export CHANCERY_URL="),
        (["whoami", "--url", "http://127.0.0.1"], "https://"),
        (["whoami", "--url", "https://x", "--ca-bundle", "/nowhere"], "cannot read the CA bundle"),
        (["request", "shwo"], "Did you mean"),
        (["request", "show"], "chancery request show --help"),
        (["request", "show", "1", "--frmat", "x"], "Unknown option"),
        (["request", "submit", "--profle", "x"], "--profle"),
        (["certificate", "revoke", "ab", "--reason", "boredom"], "keyCompromise"),
        (["certificate", "show", "zz"], "serial"),
    ],
)
def test_usage(argv: list[str], hint: str, alone: Any) -> None:
    finished = alone(*argv)

    assert (finished.code, finished.out) == (2, "")
    assert hint in finished.err
    assert finished.err.startswith("error: ")


@pytest.mark.parametrize("content", [b"", b"two words\n", b"x" * 5_000, b"\xff\xfe"])
def test_a_token_file_without_a_token(
    content: bytes, server: Any, alone: Any, tls: Path, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)

    finished = alone("whoami", "--url", server.url, "--ca-bundle", tls, "--token-file", path)

    assert finished.code == 2
    assert "token" in finished.err
    assert server.seen == []


def test_a_token_file_that_others_can_read(server: Any, run: Any, token_file: Path) -> None:
    server.on("GET", "/me", {"name": "me"})
    token_file.chmod(0o644)

    finished = run("whoami")

    assert finished.code == 0
    assert "chmod 600" in finished.err


def test_an_instance_found_is_named_but_not_used(
    alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quickstart.json").write_text("{}")
    monkeypatch.setenv("CHANCERY_HOME", str(tmp_path))

    finished = alone("whoami")

    assert finished.code == 2
    assert f"CHANCERY_CA_BUNDLE={tmp_path}/tls/ca-bundle.pem" in finished.err


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_name_cannot_change_the_path(name: str, server: Any, run: Any) -> None:
    assert run("user", "show", name).code == 2
    assert server.seen == []


def test_names_are_quoted(server: Any, run: Any) -> None:
    server.on("GET", "/users/a%2F..%2Fb%3Fc%23d", {"name": "x"})

    assert run("user", "show", "a/../b?c#d").code == 0


def test_a_bug_is_one_line(server: Any, run: Any) -> None:
    server.on("GET", "/requests", {"items": 1, "next": None})

    finished = run("request", "list")

    assert finished.code == 1
    assert finished.err.startswith("error: unexpected ")
    assert finished.err.count("\n") == 1


def test_interrupted(server: Any, run: Any) -> None:
    def interrupting(_: object) -> Answer:
        signal.raise_signal(signal.SIGINT)
        return Answer()

    server.on("GET", "/me", interrupting)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        finished = run("whoami")
    finally:
        signal.signal(signal.SIGINT, old)

    assert finished.code == 130


def test_a_client_certificate_that_the_server_refuses(
    server: Any, run: Any, alone: Any, tls: Path
) -> None:
    server.refuse_client_certificates()

    finished = run("whoami", "--client-certificate", tls)
    assert finished.code == 5
    assert "(--client-certificate, tls.client-certificate)" in finished.err
    assert "--format chain" in finished.err

    without = alone("whoami", "--url", server.url, "--ca-bundle", tls)
    assert (without.code, "cannot reach" in without.err) == (7, True)
