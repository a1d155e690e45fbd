"""On a real terminal: colours are ours alone, and what is no text stays off it."""

import os
import pty
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Answer
from .test_process import COMMAND
from .test_request import HOSTILE

STYLE = re.compile(r"\x1b\[[0-9;]*m")
Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal(server: Any, tls: Path, token_file: Path) -> Terminal:
    """Run the command with a pseudo-terminal as its standard streams; return code and screen."""
    where = ("--url", server.url, "--ca-bundle", tls, "--token-file", token_file)

    def run(*argv: object, typed: dict[str, str] | None = None) -> tuple[int, str]:
        """*typed* maps a prompt to what is typed once it is there; each serves once."""
        master, slave = pty.openpty()
        environ = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"}
        process = subprocess.Popen(
            [*COMMAND, *map(str, (*argv, *where))],
            stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        alarm = threading.Timer(30, process.kill)
        alarm.start()
        screen = _converse(master, dict(typed or {}))
        code = process.wait()
        alarm.cancel()
        os.close(master)
        return code, screen

    return run


def _converse(master: int, typed: dict[str, str]) -> str:
    screen = b""
    while True:
        try:
            screen += os.read(master, 65_536)
        except OSError:  # how Linux reports that the other end of a terminal is closed
            return screen.decode()
        for prompt in [one for one in typed if screen.rstrip().endswith(one.encode())]:
            os.write(master, typed.pop(prompt).encode() + b"\n")


def test_only_colours_reach_the_screen(server: Any, terminal: Terminal) -> None:
    item = {"id": "1", "state": "pending", "subject": HOSTILE * 20, "created_at": 1}
    server.on("GET", "/requests", {"items": [item], "next": None})

    code, screen = terminal("request", "list")

    assert code == 0
    assert "\x1b[33mpending\x1b[0m" in screen
    assert not set("\x1b\x9b\u202e") & set(STYLE.sub("", screen))


def test_json_on_a_terminal_is_indented_and_plain(server: Any, terminal: Terminal) -> None:
    server.on("GET", "/requests/1", {"id": HOSTILE})

    code, screen = terminal("request", "show", "1", "--json")

    assert code == 0
    assert screen.startswith('{\r\n  "id": "\\u001b')
    assert "\x1b" not in screen


def test_der_does_not_belong_on_a_terminal(server: Any, terminal: Terminal) -> None:
    server.on("GET", "/authorities/a/export", Answer(b"\x30\x1b[2J"))

    code, screen = terminal("ca", "export", "a", "--format", "der")

    assert code == 2
    assert "-o FILE" in screen


def test_a_text_with_escapes_is_no_text(server: Any, terminal: Terminal) -> None:
    server.on("GET", "/authorities/a/csr", Answer(b"-----BEGIN\x1b[2J"))

    assert terminal("ca", "csr", "a")[0] == 2


def test_a_password_is_asked_for_twice_and_not_echoed(server: Any, terminal: Terminal) -> None:
    server.on("POST", "/users/u/password", {"done": True})

    code, screen = terminal(
        "user", "password", "u", typed={"password:": "correct horse", "again:": "correct horse"}
    )

    assert code == 0, screen
    assert server.last.json == {"password": "correct horse"}
    assert "password, again" in screen
    assert "correct" not in screen


def test_review(server: Any, terminal: Terminal) -> None:
    from .test_request import _request  # noqa: PLC0415

    server.on("GET", "/requests/1", _request())
    server.on("POST", "/requests/1/approve", {"id": "1", "state": "issued"})

    code, screen = terminal("request", "approve", "1", "--review", typed={"[y/N]": "y"})

    assert (code, server.last.json) == (0, {"content_sha256": "ab" * 32})
    assert screen.index("subjectAltName") < screen.index("Approve exactly this?")
