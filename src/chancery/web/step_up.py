"""Proving again who one is, before something weighty: the page that asks."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from chancery.web.visit import Visit

STEP_UP: Final = "/console/step-up"
KEPT: Final = "kept."
"""Prefix of the hidden fields in which a form waits until its sender has proven who they are."""


def ask(
    visit: Visit, *, back: str, then: str = "", kept: Sequence[tuple[str, str]] = ()
) -> Response:
    """Ask for a proof.  *then* is where *kept* was about to be sent; without it, on to *back*."""
    ways = visit.services.identity.sessions.step_up_ways(visit.latest_cookie)
    if ways is None:
        return visit.redirect(back)
    return visit.render(
        "sign_in/step_up.html",
        status=200 if visit.method == "GET" or visit.error else 403,
        ways=ways,
        back=back,
        then=then,
        kept=kept,
        prefix=KEPT,
        provider=visit.services.identity.providers.of(ways.name),
    )
