"""Directories and identity providers: how they are set up, and whether they answer."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/directories",
    section="directories",
    nav=Nav("Directories", "id", 85, (Permission.IDENTITY_READ,), group="Administration"),
)


@pages.get("", Permission.IDENTITY_READ)
def found(visit: Visit) -> Response:
    """What the settings name; nothing of it is changed here."""
    identity, principal = visit.services.identity, visit.principal
    return visit.render(
        "console/directories.html",
        directories=identity.directories.list(principal),
        providers=identity.providers.list(principal),
        tried=None,
    )


@pages.post("/{kind}/{name}/check", Permission.IDENTITY_MANAGE, form=found)
def check(visit: Visit) -> Response:
    """Try one of them, and look somebody up in a directory if a login was given."""
    identity, principal, name = visit.services.identity, visit.principal, visit.path["name"]
    person = None
    if visit.path["kind"] == "provider":
        trials = identity.providers.check(principal, name)
    else:
        examined = identity.directories.check(principal, name, visit.form.text("login") or None)
        trials, person = examined.servers, examined.person
    return visit.render(
        "console/directories.html",
        directories=identity.directories.list(principal),
        providers=identity.providers.list(principal),
        tried=name,
        trials=trials,
        person=person,
    )
