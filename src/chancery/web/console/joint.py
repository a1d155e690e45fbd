"""A second member signs in beside the first: some groups count only when two are present."""

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.web.console.sign_in import go_on, onward
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/sign-in/joint", section="sign-in")


@pages.get("", Permission.AUTHENTICATED)
def second(visit: Visit) -> Response:
    return visit.render(
        "sign_in/joint.html",
        onward=onward(visit),
        offers=visit.services.identity.providers.offers(),
    )


@pages.post("", Permission.AUTHENTICATED, slow=True)
def join(visit: Visit) -> Response:
    name = visit.form.required("name", "The second member's name")
    password = visit.form.raw("password")
    if not password:
        raise BadRequest("the password is missing", field="password", rule="required")
    sessions = visit.services.identity.sessions
    opened = sessions.join_begin(visit.session_cookie, name, password, visit.origin)
    return go_on(visit, opened, None if opened.session.awaited else f"{name} has joined you.")


@pages.post("/cancel", Permission.AUTHENTICATED)
def cancel(visit: Visit) -> Response:
    visit.services.identity.sessions.join_cancel(visit.session_cookie)
    return visit.redirect(onward(visit))
