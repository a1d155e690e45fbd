"""A request as an approver must see it: everything that would be signed, and nothing hidden."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from chancery.cli import output
from chancery.cli.client import Json
from chancery.cli.text import instant, lasting
from chancery.domain.errors import BadRequest

_APART = frozenset({"content", "approvals", "notes", "approvals_needed", "content_sha256"})
_TOLD_BY_CONTENT = frozenset({"subject", "names", "key_sha256", "key_algorithm", "serial"})


def show(found: Json) -> None:
    """Print a request as the API gives it, its decoded content in full."""
    content = dict(found.get("content") or {})
    apart = _APART | _TOLD_BY_CONTENT if content else _APART
    output.record({key: value for key, value in found.items() if key not in apart})
    if content:
        output.line("to be signed:")
        _content(content, found)
    output.line(f"content sha256: {found.get('content_sha256')}")
    _people(found)


def _content(content: dict[str, Any], found: Json) -> None:
    """Everything on a line of its own, so that no value can pass for two."""
    extensions = content.pop("extensions", None) or []
    key = content.pop("key", None)
    if isinstance(key, Mapping):
        key = key.get("algorithm")
    told = {
        "serial": content.pop("serial", found.get("serial")),
        "subject": content.pop("subject", found.get("subject")),
        "key": key or found.get("key_algorithm"),
        "key sha256": found.get("key_sha256"),
        "validity": _validity(content.pop("validity", None)),
        **content,
    }
    for name, value in told.items():
        _lines(name, value, 1)
    if not extensions:
        output.line("  no extensions")
    for one in extensions:
        critical = " (critical)" if one.get("critical") else ""
        _lines(f"{one.get('name')} {one.get('oid')}{critical}", one.get("value"), 1)


def _lines(name: str, value: Any, depth: int) -> None:
    margin = "  " * depth
    if isinstance(value, Mapping):
        output.line(f"{margin}{name}:")
        for key, inner in value.items():
            _lines(str(key).replace("_", " "), inner, depth + 1)
    elif isinstance(value, list):
        output.line(f"{margin}{name}:" + ("" if value else " none"))
        for one in value:
            if isinstance(one, Mapping):
                _lines("-", one, depth + 1)
            else:
                output.line(f"{margin}  {one}")
    else:
        output.line(f"{margin}{name}: {output.phrase(name, value, time.time())}")


def confirmed(found: Json) -> str | None:
    """Show *found* and ask.  Return the hash of what was shown, or None for a no."""
    if not sys.stdin.isatty():
        raise BadRequest(
            "nobody is here to review", field="--review", remedy="pass --content-sha256 in scripts"
        )
    show(found)
    print("Approve exactly this? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        return None
    return str(found["content_sha256"])


def _validity(rule: Any) -> str:
    """The rule in a sentence: what is fixed now, and what the moment of signing decides."""
    if not isinstance(rule, Mapping) or "lasting_s" not in rule:
        return str(rule)
    text = lasting(rule["lasting_s"]) + " from the moment of signing"
    if backdate := rule.get("backdate_s"):
        text += f", begun {lasting(backdate)} earlier"
    if (latest := rule.get("latest")) is not None:
        end = {"refuse": "refused if it ended after"}.get(
            str(rule.get("after_issuer")), "but never past"
        )
        text += f", {end} {instant(latest)}"
    return text


def counting(found: Json) -> list[Json]:
    """The approvals of exactly this content; others were given before it was edited."""
    return [
        one
        for one in found.get("approvals") or []
        if one.get("content_sha256") == found.get("content_sha256")
    ]


def _people(found: Json) -> None:
    needed, valid = found.get("approvals_needed"), counting(found)
    output.line(f"approvals: {len(valid)}" + (f" of {needed}" if needed is not None else ""))
    for one in found.get("approvals") or []:
        stale = "" if one in valid else " (of other content: does not count)"
        people = " with ".join(filter(None, (one.get("approver"), one.get("partner"))))
        output.line(f"  {people} {_moment(one.get('approved_at'))}{stale}")
    for one in found.get("notes") or []:
        when = _moment(one.get("written_at"))
        output.line(f"note by {one.get('author')} {when}: {one.get('text')}")


def _moment(value: object) -> str:
    return instant(value) if isinstance(value, int) else str(value or "")
