"""The command as a process of its own: start, signals, pipes, completion, documentation."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chancery import __version__
from chancery.cli import guide
from chancery.cli.application import GROUPS

from .conftest import Answer

COMMAND = (sys.executable, "-m", "chancery.cli.main")
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "cli.md"


def start(*argv: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **options,
    )


@pytest.mark.parametrize("name", [group[0] for group in GROUPS])
def test_a_group_says_what_its_commands_do(name: str) -> None:
    """In a process of its own: here, other tests may have loaded what the list needs."""
    listed = start(name, "--help", env=os.environ | {"COLUMNS": "200"}).stdout
    told = dict(re.findall(r"^│ ([a-z-]+) +(\w?)", listed, re.MULTILINE))

    assert told
    assert all(told.values()), listed


def test_version() -> None:
    finished = start("--version")

    assert (finished.returncode, finished.stdout) == (0, f"{__version__}\n")


def test_help_tells_the_exit_codes() -> None:
    finished = start("--help")

    assert finished.returncode == 0
    assert "8 verification failed" in finished.stdout


@pytest.mark.parametrize(
    "argv", [["--help"], ["request", "--help"], ["request", "list", "--json", "--url", "https://x"]]
)
def test_starts_without_what_it_does_not_need(argv: list[str]) -> None:
    """Start-up time, measured in what is imported: a clock would be at the mercy of the machine."""
    code = (
        "import sys; from chancery.cli.main import main; main(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=30, check=False
    )

    loaded = set(finished.stderr.split())
    heavy = {"fastapi", "sqlalchemy", "pydantic", "uvicorn", "argon2", "chancery.app.office"}
    heavy |= {"httpx2"} if "--help" in argv else {"rich.table"}
    assert "chancery.cli.main" in loaded
    assert not heavy & loaded


def test_same_command_over_a_socket(server: Any, tls: Path, token_file: Path) -> None:
    server.on("GET", "/me", {"name": "alice"})
    names = {"URL": server.url, "CA_BUNDLE": tls, "TOKEN_FILE": token_file}

    finished = start(
        "whoami", "--json", env=os.environ | {f"CHANCERY_{k}": str(v) for k, v in names.items()}
    )

    assert (finished.returncode, finished.stdout) == (0, '{"name":"alice"}\n')


def test_control_c(server: Any, tls: Path) -> None:
    asked = threading.Event()

    def waiting(_: object) -> Answer:
        asked.set()
        time.sleep(1)
        return Answer()

    server.on("GET", "/me", waiting)
    argv = [*COMMAND, "whoami", "--url", server.url, "--ca-bundle", str(tls)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert asked.wait(20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_a_reader_that_has_seen_enough(server: Any, tls: Path) -> None:
    items = [{"id": str(n), "subject": "x" * 500} for n in range(2_000)]
    server.on("GET", "/requests", {"items": items, "next": None})
    argv = f"request list --all --json --url {server.url} --ca-bundle {tls}"

    finished = subprocess.run(
        ["bash", "-c", f"{' '.join(COMMAND)} {argv} | head -c 10; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip

    assert (finished.returncode, finished.stderr) == (0, b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, alone: Any) -> None:
    script = alone("completion", shell).out

    assert "bind-certificate" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, timeout=10, check=True)


def test_the_guide_is_what_the_help_says() -> None:
    """``python -m chancery.cli.guide > docs/guides/cli.md`` makes it anew."""
    assert GUIDE.read_text() == guide.text(), "docs/guides/cli.md is stale"
