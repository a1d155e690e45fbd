"""The guide to the command line, generated from its help: ``python -m chancery.cli.guide``."""

import io
import re
import sys
from collections.abc import Iterator
from typing import Final

from cyclopts import App
from rich.console import Console

from chancery.cli.application import build

_WIDTH: Final = 10_000  # columns: nothing is wrapped here, markdown does that
_CONNECTION: Final = "Connection"
_TITLE: Final = re.compile(r"[A-Z][A-Za-z ]*:")
_HEAD: Final = """\
# The command line

This page is generated from the command's own help:
`python -m chancery.cli.guide > docs/guides/cli.md`.

## How it behaves

- **Where the server is.**  `--url`, `--ca-bundle` and `--token-file`, or `CHANCERY_URL`,
  `CHANCERY_CA_BUNDLE` and `CHANCERY_TOKEN_FILE`.  TLS is always verified.  No secret is ever taken
  from an argument: passwords, passphrases and tokens come from files, or are asked for.  The one
  exception is the `--code` of an anonymous request, which `CHANCERY_REQUEST_CODE` can hold.
- **What it prints.**  Tables and sentences for people; with `--json` one JSON object, one JSON
  list, or, for `request submit --bulk`, one JSON object a line.  Results go to standard output, all
  else to standard error; progress is shown only on a terminal.  Control and direction characters in
  foreign text are spelt out (`\\x1b`), so that no certificate request can steer a terminal.
- **How it fails.**  `error: message (field, rule) — remedy` on standard error; with `--json`
  instead the problem document (RFC 9457) with an added `exit_code`, as one line.  Standard output
  then stays empty, unless part of the work was done (exit code 3, or 7 in the middle of `--bulk`).
- **Files.**  Written whole or not at all; an existing file is kept unless `--force` is given; files
  that hold secrets (tokens, PKCS#12) can be read by their owner alone.  `-` is standard input or
  output.
- **Lists.**  100 items, newest first, and a note if there are more; `--limit N` or `--all`.
- **Completion.**  `source <(chancery completion bash)`; zsh and fish likewise.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | unexpected: a bug, or a server that is not Chancery |
| 2 | usage or bad input (HTTP 400, 413, 415, 422) |
| 3 | some of several failed |
| 4 | not found (404) |
| 5 | not signed in, not allowed, or locked out (401, 403, 423) |
| 6 | conflict with what has happened, or a file that exists (409) |
| 7 | unavailable: no connection, no trust in it, or the server says so (503) |
| 8 | verification failed |
| 130 | interrupted |

## Commands

"""


def text() -> str:
    """Return the whole page: every group, every command, as their own help describes them."""
    app = build()
    app.help_formatter = "plain"
    app.help_epilogue = ""
    parts = [_HEAD, "### Connection options\n\n", *_items(_help(app, ("whoami",)), _CONNECTION)]
    for path in _walk(app, ()):
        parts += _section(path, _help(app, path))
    return "".join(parts)


def _walk(app: App, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name in app:
        if not name.startswith("-"):
            yield (*above, name)
            yield from _walk(app[name], (*above, name))


def _help(app: App, path: tuple[str, ...]) -> list[str]:
    page = io.StringIO()
    app.help_print(path, console=Console(file=page, width=_WIDTH, no_color=True))
    return page.getvalue().splitlines()


def _section(path: tuple[str, ...], lines: list[str]) -> Iterator[str]:
    """One command: usage, description, and what it takes but for the connection options."""
    yield f"\n{'#' * min(len(path) + 2, 4)} chancery {' '.join(path)}\n"
    usage = lines[0].removeprefix("Usage: ").strip()
    if not usage.endswith("COMMAND"):
        yield f"\n```console\n{usage}\n```\n"
    title = next((n for n, line in enumerate(lines) if _TITLE.fullmatch(line)), len(lines))
    yield "\n" + "\n".join(lines[1:title]).strip() + "\n"
    takes = [line[:-1] for line in lines if _TITLE.fullmatch(line)]
    for one in takes:
        if one not in {_CONNECTION, "Commands"}:
            yield "\n"
            yield from _items(lines, one)
    if _CONNECTION in takes:
        yield "\nAnd the [connection options](#connection-options).\n"


def _items(lines: list[str], title: str) -> Iterator[str]:
    """The entries below a title, as a list."""
    for line in lines[lines.index(f"{title}:") + 1 :]:
        if not line.startswith("  "):
            return
        name, _, rest = line.strip().partition(": ")
        yield f"- `{name}`: {rest}\n"


if __name__ == "__main__":
    sys.stdout.write(text())
