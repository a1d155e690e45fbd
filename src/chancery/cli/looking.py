"""What people look at before they act: queues, reviews, histories."""

import time
from collections.abc import Iterable
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import arguments, output
from chancery.cli.arguments import Id, Serial
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

_QUEUES: Final = ("ra", "group", "waiting", "mine")
_CHANGES: Final = ("what", "asked", "becomes", "fate")


def queues(*, api: Connection = DEFAULT) -> None:
    """Count what waits for a decision, by registration authority."""
    with api.open() as server:
        items = server.items("requests", "queues", limit=None)
        output.listing(items, _QUEUES, as_json=api.as_json)


def review(
    request_id: Id,
    /,
    *,
    full: Annotated[bool, Parameter(help="Ask the full linter (pkilint) as well.")] = False,
    api: Connection = DEFAULT,
) -> None:
    """Hold what was asked against what would be signed; show what speaks against it."""
    with api.open() as server:
        found = server.get("requests", request_id, "review", full=str(full).lower())
    output.show(found, as_json=api.as_json, human=_reviewed)


def history(
    serial: Serial,
    /,
    *,
    authority: Annotated[
        str | None, Parameter(help="Issuing CA, where two of them chose the same serial.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Show what happened to a certificate, and where the audit log holds it."""
    with api.open() as server:
        found = server.get("certificates", arguments.serial(serial), "history", authority=authority)
    output.show(found, as_json=api.as_json, human=_told)


def _reviewed(found: Json) -> None:
    for name in ("state", "missing", "group"):
        output.line(f"{name}: {found.get(name)}")
    for one in found.get("changes", ()):
        if one["fate"] != "kept":
            asked, becomes = one["asked"] or "nothing", one["becomes"] or "left out"
            output.line(f"{one['fate']} {one['what']}: {asked} -> {becomes}")
    for one in found.get("findings", ()):
        output.line(f"{one['severity']}: {one['message']}")
        if one["remedy"]:
            output.line(f"  {one['remedy']}")
    for one in found.get("refusals", ()):
        output.line(f"you may not {one['act']}: {one['why']}")
    _entries(found.get("history", ()))


def _told(found: Json) -> None:
    _entries(found.get("entries", ()))
    logged = found.get("logged")
    if logged and logged["size"]:
        output.line(
            f"leaf {logged['seq']} of the audit log, proved under the checkpoint of"
            f" {logged['size']} leaves, root {logged['root']}"
        )


def _entries(entries: Iterable[Json]) -> None:
    now = time.time()
    for one in entries:
        who = one["actor"] + (f" with {one['partner']}" if one["partner"] else "")
        why = f": {one['why']}" if one["why"] else ""
        output.line(f"{output.phrase('created_at', one['at'], now)} {one['action']} by {who}{why}")
