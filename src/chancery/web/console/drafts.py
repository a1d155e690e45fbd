"""Long forms with rows: what is typed becomes a document, and a document becomes what is typed.

A draft is always a ``Form``: of the definition in force at first, then of what
the visitor sent.  Adding, moving and removing rows makes another draft of it,
on the server, so it works without scripts and with any number of rows.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.services.profile_diff import duration
from chancery.web.fields import Form, Parsed
from chancery.web.visit import Visit

Pairs = list[tuple[str, str]]
Row = list[tuple[str, str]]

_ROW: Final = re.compile(r"(?P<list>.+)\[(?P<at>\d{1,4})\]\.(?P<leaf>[a-z0-9_]+)")
_LENGTH: Final = re.compile(r"(\d{1,9})\s*([a-z]*)")
_UNITS: Final = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400),
    **dict.fromkeys(("y", "year", "years"), 365 * 86_400),
}
MAX_ROWS: Final = 60


def draft(pairs: Iterable[tuple[str, str]]) -> Form:
    return Form(Parsed(tuple(pairs)))


def typed(visit: Visit, pairs: Iterable[tuple[str, str]]) -> Form:
    """The draft to show: what was sent, else *pairs*."""
    return visit.form if visit.method == "POST" else draft(pairs)


def show_instead(visit: Visit, pairs: Iterable[tuple[str, str]]) -> Form:
    """Go on as if *pairs* had been sent, so that the fields are drawn with them."""
    visit.form = draft(pairs)
    return visit.form


# Rows


def rows(form: Form, name: str) -> int:
    """How many rows the list *name* has: names like ``profile.san[0].kind``."""
    places = [int(found["at"]) for field in form if (found := _row(field, name))]
    return min(max(places, default=-1) + 1, MAX_ROWS)


def asked(text: str) -> tuple[str, str, int]:
    """(what, list, place) of a row's button: ``remove:profile.san:2``."""
    what, _, rest = text.partition(":")
    name, _, place = rest.partition(":")
    return what, name, int(place) if place.isascii() and place.isdigit() else -1


def with_rows_changed(form: Form, text: str, fresh: Mapping[str, Row]) -> tuple[Form, str]:
    """Do to the rows what a button says; the draft, and the field to look at next.

    *fresh*: what a new row of each list holds; its first leaf gets the focus.
    """
    what, name, place = asked(text)
    if name not in fresh:
        return form, ""
    found: list[Row] = [[] for _ in range(rows(form, name))]
    others: Pairs = []
    for field, value in form.pairs():
        match = _row(field, name)
        if match and int(match["at"]) < len(found):
            found[int(match["at"])].append((match["leaf"], value))
        elif not match:
            others.append((field, value))
    place = _moved(what, place, found, fresh[name])
    numbered = [
        (f"{name}[{index}].{leaf}", value) for index, row in enumerate(found) for leaf, value in row
    ]
    focus = f"{name}[{place}].{fresh[name][0][0]}" if 0 <= place < len(found) else f"{name}-add"
    return draft([*others, *numbered]), focus


def _moved(what: str, place: int, found: list[Row], fresh: Row) -> int:
    """Change *found*; where the row in question is now."""
    there = 0 <= place < len(found)
    if what == "add" and len(found) < MAX_ROWS:
        found.append(list(fresh))
        return len(found) - 1
    if what == "remove" and there:
        del found[place]
        return min(place, len(found) - 1)
    to = place + {"up": -1, "down": 1}.get(what, 0)
    if there and 0 <= to < len(found):
        found[place], found[to] = found[to], found[place]
        return to
    return place


def _row(field: str, name: str) -> re.Match[str] | None:
    found = _ROW.fullmatch(field)
    return found if found and found["list"] == name else None


# Values


def seconds(form: Form, name: str) -> int:
    """A length of time: ``90 days``, ``36 hours``, ``3600``."""
    text = form.text(name).lower().replace(",", "")
    found = _LENGTH.fullmatch(text)
    if found is None or found[2] not in _UNITS:
        raise BadRequest(
            f"{text[:40]!r} is no length of time",
            field=name,
            rule="duration",
            remedy="write it like 90 days, 36 hours or 10 minutes",
        )
    return int(found[1]) * _UNITS[found[2]]


def lasting(value: int) -> str:
    """The same, as it is typed."""
    return duration(value)


def several(form: Form, name: str) -> list[str]:
    """Words apart by white space or commas."""
    return [word for word in re.split(r"[\s,]+", form.text(name)) if word]


def lines(form: Form, name: str) -> list[str]:
    """One value a line."""
    return [line for text in form.text(name).splitlines() if (line := text.strip())]


def flagged(name: str, *, on: bool) -> Pairs:
    """The pair of a ticked box; a box that is not ticked sends nothing."""
    return [(name, "on")] if on else []


def reasons(form: Form) -> dict[str, str]:
    """Findings and why they may stand: fields named ``accept_risks.ID``."""
    prefix = "accept_risks."
    return {
        name.removeprefix(prefix): text
        for name in form
        if name.startswith(prefix) and (text := form.text(name))
    }
