"""Publication: where CRLs and certificates have got to, and how they look from outside."""

from typing import Final

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

PATH: Final = "/console/publication"

pages = Pages(
    PATH,
    section="publication",
    nav=Nav("Publication", "upload", 48, (Permission.AUTHORITY_READ,), group="Trust"),
)


@pages.get("", Permission.AUTHORITY_READ)
def standing(visit: Visit) -> Response:
    service = visit.services.publication
    return visit.render(
        "console/publication.html",
        publishers=service.standings(visit.principal),
        urls=service.sightings(visit.principal),
    )


@pages.post("/{publisher}/retry", Permission.CRL_ISSUE, form=standing)
def retry(visit: Visit) -> Response:
    name = visit.path["publisher"]
    visit.services.publication.retry(visit.principal, name)
    return visit.redirect(PATH, f"{name} is tried again now.")
