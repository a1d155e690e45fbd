"""The console's first page."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages("/console", section="home", nav=Nav("Home", "home", 10))


@pages.get("", Permission.AUTHENTICATED)
def home(visit: Visit) -> Response:
    return visit.render("console/home.html")
