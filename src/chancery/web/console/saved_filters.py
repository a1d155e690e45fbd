"""Searches that one keeps for the lists: shown above them, made from what is being looked at."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.saved_filter import ListName
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/filters", section="filters")

_PLACES: Final = ("cursor", "trail")
_PATHS: Final = {
    ListName.CERTIFICATES: "/console/certificates",
    ListName.REQUESTS: "/console/requests",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """One of them: where it leads, and whether the page shows just that."""

    name: str
    url: str
    here: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a list shows of them.  *query* is what could be kept now, "" for nothing."""

    of: str
    kept: list[Kept]
    query: str


def shelf(visit: Visit, name: ListName) -> Shelf:
    """The searches that the visitor keeps for a list, and what they look at now."""
    now = urlencode([(k, v) for k, v in visit.query.pairs() if v and k not in _PLACES])
    if visit.principal.ra:  # kept where the whole record can be seen
        return Shelf(name.value, [], "")
    found = visit.services.filters.all(visit.principal, name)
    here = sorted(parse_qsl(now))
    return Shelf(
        name.value,
        [
            Kept(one.name, f"{_PATHS[name]}?{one.query}", sorted(parse_qsl(one.query)) == here)
            for one in found
        ],
        now,
    )


@pages.post("/{list}", Permission.AUTHENTICATED)
def save(visit: Visit) -> Response:
    name = _list(visit)
    kept = visit.services.filters.save(
        visit.principal, name, visit.form.required("name"), visit.form.text("query")
    )
    return visit.redirect(f"{_PATHS[name]}?{kept.query}", f"Kept as {kept.name}.")


@pages.post("/{list}/delete", Permission.AUTHENTICATED)
def delete(visit: Visit) -> Response:
    name, called = _list(visit), visit.form.required("name")
    visit.services.filters.delete(visit.principal, name, called)
    return visit.redirect(_PATHS[name], f"{called} is forgotten.")


def _list(visit: Visit) -> ListName:
    try:
        return ListName(visit.path["list"])
    except ValueError:
        raise BadRequest(
            "no such list", field="list", rule="filter.list", remedy="certificates or requests"
        ) from None
