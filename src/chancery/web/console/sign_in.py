"""Signing in by name and password, and signing out."""

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.services.identity.sessions import Opened
from chancery.web.answering import STAGES
from chancery.web.pages import Pages
from chancery.web.visit import Visit, next_of

pages = Pages("/console", section="sign-in")


@pages.get("/sign-in", Permission.PUBLIC)
def sign_in(visit: Visit) -> Response:
    if visit.session is not None and visit.session.open and visit.error is None:
        return visit.redirect(next_of(visit.query))
    return visit.render("sign_in/password.html", onward=_onward(visit))


@pages.post("/sign-in", Permission.PUBLIC, slow=True)
def check(visit: Visit) -> Response:
    name = visit.form.required("name", "Your name")
    password = visit.form.raw("password")
    if not password:
        raise BadRequest("the password is missing", field="password", rule="required")
    opened = visit.services.identity.sessions.begin(name, password, visit.origin, visit.agent)
    return go_on(visit, opened)


@pages.post("/sign-out", Permission.PUBLIC)
def sign_out(visit: Visit) -> Response:
    if visit.session_cookie:
        visit.services.identity.sessions.end(visit.session_cookie, visit.origin)
        visit.drop_session()
    return visit.redirect("/console/sign-in", "You are signed out.")


def go_on(visit: Visit, opened: Opened) -> Response:
    """Keep the new cookie, and lead to what is still missing, or to where they wanted to go."""
    visit.keep_session(opened.cookie)
    onward = _onward(visit)
    if opened.session.open:
        return visit.redirect(onward)
    return visit.redirect(STAGES[opened.session.state])


def _onward(visit: Visit) -> str:
    return next_of(visit.form if visit.method == "POST" else visit.query)
