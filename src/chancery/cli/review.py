"""A request as an approver must see it: everything that would be signed, and nothing hidden."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from chancery.cli import output
from chancery.cli.client import Json
from chancery.cli.text import clean, instant, lasting
from chancery.domain.errors import BadRequest

_HEAD = (
    "id", "state", "kind", "profile", "ra", "authority", "requester", "created_at",
    "expires_at", "decided_at", "decision_reason", "failure", "renews", "certificate_id",
)  # fmt: skip
_OTHER = frozenset(
    {"content", "approvals", "notes", "approvals_needed", "content_sha256", "certificate", "code"}
    | {"subject", "names", "key_sha256", "key_algorithm", "serial", "csr", "submission"}
)


def show(found: Json) -> None:
    """Print a request as the API gives it, its decoded content in full."""
    head = {key: found[key] for key in _HEAD if key in found}
    head |= {k: v for k, v in found.items() if k not in head and k not in _OTHER}
    output.record(head)
    content = dict(found.get("content") or {})
    for key in ("subject", "names", "serial", "key_algorithm", "key_sha256"):
        content.setdefault(key, found.get(key))
    validity = content.pop("validity", None)
    if validity is not None:
        content["validity"] = _validity(validity)
    output.record(content, heading="To be signed")
    if "content_sha256" in found:
        output.line(f"  content sha256: {found['content_sha256']}")
    _people(found)


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
        return output.phrase("validity", rule, time.time())
    text = lasting(rule["lasting_s"]) + " from the moment of signing"
    if backdate := rule.get("backdate_s"):
        text += f", begun {lasting(backdate)} earlier"
    if (latest := rule.get("latest")) is not None:
        end = {"refuse": "refused if it ended after"}.get(
            str(rule.get("after_issuer")), "but never past"
        )
        text += f", {end} {instant(latest)}"
    return text


def _people(found: Json) -> None:
    approvals, needed = found.get("approvals") or [], found.get("approvals_needed")
    count = f"{len(approvals)} of {needed}" if needed is not None else str(len(approvals))
    output.line(f"Approvals: {count}")
    for one in approvals:
        stale = one.get("content_sha256") not in {None, found.get("content_sha256")}
        output.line(
            f"  {one.get('approver')} {_moment(one.get('approved_at'))}"
            + (" (of other content: does not count)" if stale else "")
        )
    for one in found.get("notes") or []:
        output.line(
            f"Note by {clean(str(one.get('author')))} {_moment(one.get('written_at'))}: "
            f"{clean(str(one.get('text')))}"
        )


def _moment(value: object) -> str:
    return instant(value) if isinstance(value, int) else str(value or "")
