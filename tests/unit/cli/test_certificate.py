"""What people read of a certificate."""

from typing import Any


def test_lint_tells_who_looked_and_who_did_not(server: Any, run: Any) -> None:
    answer = {
        "linters": [
            {"linter": "pkilint", "at": 1777593600, "findings": ["error a: \x1b[2J", "warning b"]},
            {"linter": "other", "at": 1777593600, "findings": []},
        ],
        "waiting": ["third"],
    }
    server.on("GET", "/certificates/5a/lint", answer)
    lines = run("certificate", "lint", "5a").out.splitlines()
    assert lines[0].startswith("pkilint, 2026-05-01T00:00:00Z")
    assert lines[1:3] == ["  error a: \\x1b[2J", "  warning b"]
    assert lines[3].startswith("other, ")
    assert lines[4:] == ["  nothing found", "third has not looked at it yet"]
