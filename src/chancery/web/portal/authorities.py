"""CA certificates, CRLs and bundles of roots, and how to install them."""

from starlette.responses import Response

from chancery.domain.errors import NotFound
from chancery.domain.identity import Permission
from chancery.services.portal.trust import BUNDLES, PublicAuthority
from chancery.web.pages import NOBODY, Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/authorities",
    section="portal-authorities",
    nav=Nav("CA certificates", "shield-check", 40, NOBODY),
)

_FORMS = ("pem", "der", "chain", "p7")


@pages.get("", Permission.PUBLIC)
def authorities(visit: Visit) -> Response:
    """Every CA with the fingerprints of its certificates."""
    found = visit.services.portal.trust.authorities()
    return visit.render("portal/authorities.html", authorities=found, root=_root(found))


@pages.get("/bundle/{form}", Permission.PUBLIC)
def bundle(visit: Visit) -> Response:
    if visit.path["form"] not in BUNDLES:
        raise NotFound("there is no such file", field="form", rule="export.format")
    file = visit.services.portal.trust.bundle(visit.path["form"])
    return visit.download(file.data, file.filename, file.media_type)


@pages.get("/{name}/{form}", Permission.PUBLIC)
def certificate(visit: Visit) -> Response:
    if visit.path["form"] not in _FORMS:
        raise NotFound("there is no such file", field="form", rule="export.format")
    file = visit.services.portal.trust.certificate(visit.path["name"], visit.path["form"])
    return visit.download(file.data, file.filename, file.media_type)


def _root(found: list[PublicAuthority]) -> PublicAuthority | None:
    """The root that the hints speak of: the first one there is."""
    return next((ca for ca in found if ca.keys and ca.keys[0].root), None)
