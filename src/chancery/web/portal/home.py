"""The portal's first page."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.pages import NOBODY, Nav, Pages
from chancery.web.visit import Visit

pages = Pages("", section="portal-home", nav=Nav("Start", "home", 10, NOBODY))


@pages.get("/", Permission.PUBLIC)
def home(visit: Visit) -> Response:
    return visit.render("portal/home.html")
