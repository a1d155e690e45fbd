"""Signing in: name and password, or the certificate of the connection.  Signing out."""

from urllib.parse import quote

from starlette.responses import Response

from chancery.domain.errors import BadRequest, NotAuthenticated
from chancery.domain.identity import Permission
from chancery.domain.web_session import SessionState
from chancery.services.identity.sessions import Opened
from chancery.web.answering import STAGES
from chancery.web.pages import Pages
from chancery.web.visit import Visit, next_of

pages = Pages("/console", section="sign-in")


@pages.get("/sign-in", Permission.PUBLIC)
def sign_in(visit: Visit) -> Response:
    if visit.session is not None and visit.session.open and visit.error is None:
        return visit.redirect(onward(visit))
    return visit.render(
        "sign_in/password.html",
        onward=onward(visit),
        offers=(offers := visit.services.identity.providers.offers()),
        left=next((one for one in offers if one.name == visit.query.text("left")), None),
    )


@pages.post("/sign-in", Permission.PUBLIC, slow=True)
def by_password(visit: Visit) -> Response:
    name = visit.form.required("name", "Your name")
    password = visit.form.raw("password")
    if not password:
        raise BadRequest("the password is missing", field="password", rule="required")
    opened = visit.services.identity.sessions.begin(name, password, visit.origin, visit.agent)
    return go_on(visit, opened)


@pages.post("/sign-in/certificate", Permission.PUBLIC, form=sign_in)
def by_certificate(visit: Visit) -> Response:
    """Sign in by the TLS client certificate that this connection showed."""
    if visit.certificate is None:
        raise NotAuthenticated(
            "your browser showed no certificate",
            field="certificate",
            rule="certificate.shown",
            remedy="close the browser, open it again, and choose the certificate when it asks",
        )
    sessions = visit.services.identity.sessions
    return go_on(visit, sessions.by_certificate(visit.certificate, visit.origin, visit.agent))


@pages.get("/sign-in/password", Permission.PUBLIC)
def new_password(visit: Visit) -> Response:
    if visit.session is None or visit.session.state is SessionState.NEEDS_FACTOR:
        return visit.redirect("/console/sign-in")
    forced = visit.session.state is SessionState.MUST_CHANGE_PASSWORD
    return visit.render("sign_in/new_password.html", onward=onward(visit), forced=forced)


@pages.post("/sign-in/password", Permission.PUBLIC, slow=True)
def change_password(visit: Visit) -> Response:
    new = visit.form.raw("password")
    if new != visit.form.raw("again"):
        raise BadRequest(
            "the two do not agree", field="again", rule="password.again", remedy="type it twice"
        )
    opened = visit.services.identity.sessions.change_password(
        visit.session_cookie, visit.form.raw("current"), new, visit.origin
    )
    return go_on(visit, opened, "Your password is changed.")


@pages.post("/sign-out", Permission.PUBLIC)
def sign_out(visit: Visit) -> Response:
    providers = visit.services.identity.providers
    left = providers.of(visit.session.user) if visit.session else None
    if visit.session_cookie:
        visit.services.identity.sessions.end(visit.session_cookie, visit.origin)
        visit.drop_session()
    where = "/console/sign-in" + (f"?left={left.name}" if left else "")
    return visit.redirect(where, "You are signed out.")


def go_on(visit: Visit, opened: Opened, notice: str | None = None) -> Response:
    """Keep the new cookie; lead to what is still missing, or to where they wanted to go."""
    visit.keep_session(opened.cookie)
    if opened.session.awaited:
        stage = STAGES[SessionState.NEEDS_FACTOR]
    elif opened.session.open:
        return visit.redirect(onward(visit), notice)
    else:
        stage = STAGES[opened.session.state]
    return visit.redirect(f"{stage}?next={quote(onward(visit), safe='')}", notice)


def onward(visit: Visit) -> str:
    """Where they wanted to go."""
    return next_of(visit.form if visit.method == "POST" else visit.query)
