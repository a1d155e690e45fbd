"""Requests: what waits for whom, and everything that was ever asked."""

from typing import Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.request import RequestState
from chancery.domain.saved_filter import ListName
from chancery.ports import RequestFilter
from chancery.web import paging
from chancery.web.console.content import called
from chancery.web.console.saved_filters import shelf
from chancery.web.fields import Fields
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages("/console/requests", section="requests", nav=Nav("Requests", "inbox", 20))

ANY: Final = "any"
_TEXTS: Final = ("ra", "profile", "authority", "requester", "subject")


@pages.get("", Permission.AUTHENTICATED)
def found(visit: Visit) -> Response:
    """The list: what is pending, unless another state is asked for."""
    everybodys = visit.may(Permission.REQUEST_READ_ALL)
    services, who = visit.services, visit.principal
    rows = services.registration.find(who, where(visit.query), paging.asked(visit.query))
    queues = services.reviews.queues(who) if everybodys else []
    page = paging.paged("/console/requests", visit.query, rows, key=lambda row: row.id)
    return visit.render(
        "console/requests/list.html",
        block="results",
        page=page,
        given=services.reviews.given(page.items),
        queues=queues,
        mine={queue.ra for queue in queues if queue.mine and not who.ra},  # to decide many
        everybodys=everybodys,
        called=called,
        state=visit.query.text("state", RequestState.PENDING.value),
        filtered=any(visit.query.text(name) for name in _TEXTS),
        states=[(state.value, state.value.capitalize()) for state in RequestState],
        options=options(visit),
        shelf=shelf(visit, ListName.REQUESTS),
    )


def where(query: Fields) -> RequestFilter:
    """What a query asks for; without a state it is what waits."""
    texts = {name: query.text(name) or None for name in _TEXTS}
    state = query.text("state", RequestState.PENDING.value)
    if state == ANY:
        return RequestFilter(None, **texts)
    try:
        return RequestFilter(RequestState(state), **texts)
    except ValueError:
        raise BadRequest(
            f"no state {state[:40]!r}",
            field="state",
            rule="request.state",
            remedy="one of: " + ", ".join((*RequestState, ANY)),
        ) from None


def options(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer to choose from, as far as the visitor may know it."""
    services, who = visit.services, visit.principal
    offered: dict[str, list[str]] = {"ra": [], "profile": [], "authority": []}
    if visit.may(Permission.RA_READ):
        offered["ra"] = [ra.name for ra in services.ras.all(who)]
    if visit.may(Permission.PROFILE_READ):
        offered["profile"] = [version.profile.name for version in services.profiles.all(who)]
    if visit.may(Permission.AUTHORITY_READ):
        offered["authority"] = [one.name for one in services.authorities.list(who)]
    return {name: [(one, one) for one in sorted(found)] for name, found in offered.items()}
