"""Proving again who one is, and going on with what had to wait for it."""

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.web_session import Proof
from chancery.services.identity.sessions import Opened, StepUpWays
from chancery.web import step_up
from chancery.web.console.second_factor import digits
from chancery.web.pages import Pages
from chancery.web.visit import Visit, is_local, next_of

pages = Pages(step_up.STEP_UP, section="")


@pages.get("", Permission.AUTHENTICATED)
def ask(visit: Visit) -> Response:
    """Ask who visits, and again after a wrong answer; go on where everybody's proof is fresh."""
    if visit.method == "GET":
        return step_up.ask(visit, back=next_of(visit.query))
    return step_up.ask(visit, back=_back(visit), then=_then(visit), kept=_kept(visit))


@pages.post("", Permission.AUTHENTICATED, slow=True)
def prove(visit: Visit) -> Response:
    ways = visit.services.identity.sessions.step_up_ways(visit.session_cookie)
    if ways is not None:
        opened = _proven(visit, ways)
        visit.keep_session(opened.cookie)
        visit.session = opened.session
        if visit.services.identity.sessions.step_up_ways(opened.cookie) is not None:
            return ask(visit)  # the other of the two
    then = _then(visit)
    if not then:
        return visit.redirect(_back(visit))
    return visit.render("sign_in/resend.html", then=then, kept=_kept(visit), back=_back(visit))


@pages.post("/passkey", Permission.AUTHENTICATED)
def question(visit: Visit) -> Response:
    """What the browser's passkey dialog takes."""
    sessions = visit.services.identity.sessions
    ways = sessions.step_up_ways(visit.session_cookie)
    name = ways.name if ways else ""
    return visit.json(sessions.step_up_passkey_options(visit.session_cookie, name))


def _proven(visit: Visit, ways: StepUpWays) -> Opened:
    sessions, cookie = visit.services.identity.sessions, visit.session_cookie
    if answer := visit.form.raw("passkey"):
        return sessions.step_up_passkey(cookie, answer, visit.origin, ways.name)
    if visit.form.text("code"):
        return sessions.step_up_totp(cookie, digits(visit), visit.origin, ways.name)
    if password := visit.form.raw("password"):
        return sessions.step_up_password(cookie, password, visit.origin, ways.name)
    if ways.outside is Proof.CERTIFICATE and visit.certificate is not None:
        shown = visit.services.identity.authenticate_certificate(visit.certificate, visit.origin)
        if shown.name == ways.name:
            return sessions.step_up_proven(cookie, Proof.CERTIFICATE, ways.name)
    raise BadRequest(
        "nothing was shown that proves it",
        field="code" if ways.totp else "password",
        rule="step-up.proof",
        remedy="fill in the field above",
    )


def _back(visit: Visit) -> str:
    back = visit.form.text("back")
    return back if is_local(back) else "/console"


def _then(visit: Visit) -> str:
    then = visit.form.text("then")
    return then if is_local(then) else ""


def _kept(visit: Visit) -> list[tuple[str, str]]:
    prefix = step_up.KEPT
    return [
        (name.removeprefix(prefix), value)
        for name, value in visit.form.pairs()
        if name.startswith(prefix)
    ]
