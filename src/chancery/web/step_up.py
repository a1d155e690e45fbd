"""Proving again who one is, before something weighty."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from chancery.web.visit import Visit

STEP_UP: Final = "/console/step-up"
KEPT: Final = "kept."
"""Prefix of the hidden fields in which a form waits until its sender has proven who they are."""


def step_up_form(
    visit: Visit, *, back: str, then: str = "", kept: Sequence[tuple[str, str]] = ()
) -> Response:
    """Ask for a proof.  *then* is where *kept* was about to be sent; without it, on to *back*."""
    visit.section = ""
    context = {"back": back, "then": then, "kept": kept}
    return visit.render("sign_in/step_up.html", status=403, **context)
