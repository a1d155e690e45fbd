"""What people ask."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.pages import NOBODY, Nav, Pages
from chancery.web.visit import Visit

pages = Pages("/help", section="portal-help", nav=Nav("Help", "help-circle", 50, NOBODY))


@pages.get("", Permission.PUBLIC)
def answers(visit: Visit) -> Response:
    return visit.render("portal/help.html", policy=visit.services.portal.policy)
