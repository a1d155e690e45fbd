"""What the pages of profiles, DN profiles and registration authorities have in common."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.responses import Response

from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.domain.risk import Severity
from chancery.services.dry_run import DryRun
from chancery.services.preview import Preview
from chancery.services.risk import Judged
from chancery.web.visit import Visit
from chancery.wire import documents

T = TypeVar("T")
TONES = {Severity.BLOCK: "bad", Severity.WARN: "warn", Severity.NOTE: "info"}
WORDS = {Severity.BLOCK: "Blocks", Severity.WARN: "Warning", Severity.NOTE: "Note"}
CHANGED = "policy-changed"
"""The event after which the preview looks again."""


def offers(visit: Visit) -> dict[str, list[str]]:
    """Profile -> the registration authorities that offer it, as far as the visitor may know."""
    found: dict[str, list[str]] = defaultdict(list)
    if visit.may(Permission.RA_READ):
        for ra in visit.services.ras.all(visit.principal):
            for profile in ra.profiles:
                found[profile].append(ra.name)
    return dict(found)


def pair(visit: Visit, numbers: Sequence[int]) -> tuple[int, int]:
    """The two versions to compare: those asked for, else the last two."""
    newest = numbers[-1]
    new = visit.query.number("new", newest, least=1) or newest
    before = [number for number in numbers if number < new]
    old = visit.query.number("old", before[-1] if before else new, least=1) or new
    return old, new


def tabs(home: str, active: str) -> list[tuple[str, str, bool]]:
    """The views of one object below *home*."""
    places = (("overview", "Overview", ""), ("versions", "Versions", "/versions"))
    every = (*places, ("json", "JSON", "/json"))
    return [(title, home + path, key == active) for key, title, path in every]


def as_json(value: object) -> str:
    """The document, indented, as import and the command line read it."""
    return json.dumps(documents.to_builtin(value), indent=2, ensure_ascii=False)


def preview_of(read: Callable[[], T], judge: Callable[[T], Preview]) -> Preview:
    """Judge what is typed; what cannot even be read is a fault like any other."""
    try:
        return judge(read())
    except CAError as error:
        return Preview((error,), ())


def trial_of(
    read: Callable[[], T], run: Callable[[T], DryRun]
) -> tuple[DryRun | None, CAError | None]:
    """Try what is typed, or say why that is not possible."""
    try:
        return run(read()), None
    except CAError as error:
        return None, error


def former_reasons(risks: Sequence[Judged]) -> dict[str, str]:
    """Why findings were accepted before: a proposal for the next version."""
    return {one.risk.id: one.accepted.reason for one in risks if one.accepted}


def look_again(response: Response) -> Response:
    """Rows changed: tell the preview."""
    response.headers["hx-trigger"] = CHANGED
    return response
