"""How the command fails: one table of exit codes, one form of message.

The whole command line speaks the domain's errors.  What a server answered is
turned into them in ``client``; what they mean to a shell is here.
"""

import json
import sys
from collections.abc import Mapping
from typing import Final

from chancery.cli.text import clean
from chancery.domain import errors

OK: Final = 0
UNEXPECTED: Final = 1
USAGE: Final = 2
PARTIAL: Final = 3
UNVERIFIED: Final = 8
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it


class VerificationFailed(errors.CAError):
    """A log, a proof or a signature is not what it claims to be."""


# Most specific class first: the first isinstance() match wins.
EXIT_CODES: Final[tuple[tuple[type[errors.CAError], int], ...]] = (
    (VerificationFailed, UNVERIFIED),
    (errors.BadRequest, USAGE),
    (errors.TooOften, 7),
    (errors.NotFound, 4),
    (errors.NotAuthenticated, 5),
    (errors.NotPermitted, 5),
    (errors.LockedOut, 5),
    (errors.Conflict, 6),
    (errors.Unavailable, 7),
    (errors.SignerRefused, UNEXPECTED),
    (errors.LintFailed, UNEXPECTED),
)


class Refusal(Exception):
    """What the server said, kept as the cause of the domain error made of it."""

    def __init__(self, status: int, problem: Mapping[str, object]) -> None:
        super().__init__(status)
        self.status: Final = status
        self.problem: Final = dict(problem)


class Unexpected(errors.CAError):
    """An answer outside the protocol: a bug there, or something that is not Chancery."""


def exit_code(error: errors.CAError) -> int:
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), UNEXPECTED)


def problem(error: errors.CAError) -> dict[str, object]:
    """Return *error* as an RFC 9457 problem object: the server's own where there is one."""
    if isinstance(error.__cause__, Refusal):
        return error.__cause__.problem
    about = {"field": error.field, "rule": error.rule, "remedy": error.remedy}
    return {
        "type": "about:blank",
        "title": type(error).__name__,
        "detail": str(error),
        **{key: value for key, value in about.items() if value is not None},
    }


def sentence(error: errors.CAError) -> str:
    """``message (field, rule) — remedy``: what happened, where, and what to do."""
    return _sentence(str(error), error.field, error.rule, error.remedy)


def told(found: Mapping[str, object]) -> str:
    """Return a problem object, ours or the server's, as such a sentence."""
    message = str(found.get("detail") or found.get("title") or "refused")
    field, rule, remedy = (found.get(key) for key in ("field", "rule", "remedy"))
    return _sentence(message, field, rule, remedy)


def _sentence(message: str, field: object, rule: object, remedy: object) -> str:
    where = ", ".join(str(part) for part in (field, rule) if part)
    text = f"{message} ({where})" if where else message
    return clean(f"{text} — {remedy}" if remedy else text)


def report(error: errors.CAError, *, as_json: bool) -> int:
    """Print *error* on standard error and return its exit code."""
    code = exit_code(error)
    if as_json:
        print(one_line(problem(error) | {"exit_code": code}), file=sys.stderr)
    else:
        print(f"error: {sentence(error)}", file=sys.stderr)
    return code


def note(text: str) -> None:
    """Say something on standard error that is neither a result nor a failure."""
    print(f"note: {clean(text)}", file=sys.stderr)


def one_line(value: object) -> str:
    """Compact JSON in which no character can steer a terminal."""
    # ensure_ascii spells out everything but DEL, which JSON counts as printable.
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f")
