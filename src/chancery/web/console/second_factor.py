"""The second step of signing in, and enrolling what it takes."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.web_session import SessionState
from chancery.web.console.sign_in import go_on, onward
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/sign-in", section="sign-in")


@pages.get("/factor", Permission.PUBLIC)
def factor(visit: Visit) -> Response:
    """Ask for the second factor of who signs in, or of who is joining."""
    if visit.session is None or not visit.session.awaited:
        return visit.redirect("/console/sign-in")
    name, factors = visit.services.identity.sessions.awaited(visit.session_cookie)
    return visit.render(
        "sign_in/factor.html",
        name=name,
        factors=factors,
        joining=bool(visit.session.joining),
        onward=onward(visit),
        passkey_hint=passkey_hint(visit),
    )


@pages.post("/factor", Permission.PUBLIC)
def answer(visit: Visit) -> Response:
    """Take a code, a recovery code, or a passkey's answer: whichever came."""
    sessions, cookie = visit.services.identity.sessions, visit.session_cookie
    if passkey := visit.form.raw("passkey"):
        opened = sessions.passkey(cookie, passkey, visit.origin)
    elif recovery := visit.form.text("recovery"):
        opened = sessions.recovery(cookie, recovery, visit.origin)
    else:
        opened = sessions.totp(cookie, digits(visit), visit.origin)
    return go_on(visit, opened)


@pages.post("/factor/passkey", Permission.PUBLIC)
def question(visit: Visit) -> Response:
    """What the browser's passkey dialog takes."""
    if visit.session is None:
        return visit.redirect("/console/sign-in")
    return visit.json(visit.services.identity.sessions.passkey_options(visit.session_cookie))


@pages.get("/enrol", Permission.PUBLIC)
def enrol(visit: Visit) -> Response:
    """Have somebody enrol the second factor without which they may not go on."""
    if visit.session is None or visit.session.state is not SessionState.MUST_ENROL_FACTOR:
        return visit.redirect("/console/sign-in")
    return visit.render(
        "sign_in/enrol.html",
        enrolment=None,
        codes=None,
        onward=onward(visit),
        passkey_hint=passkey_hint(visit),
    )


@pages.post("/enrol/app", Permission.AUTHENTICATED, form=enrol)
def enrol_app(visit: Visit) -> Response:
    """Show the secret of an authenticator app, once."""
    enrolment = visit.services.identity.factors.start_totp(visit.principal)
    return _enrolling(visit, enrolment=enrolment)


@pages.post("/enrol/code", Permission.AUTHENTICATED, form=enrol)
def enrol_code(visit: Visit) -> Response:
    """Take the app into use; then show recovery codes, once."""
    visit.services.identity.factors.confirm_totp(visit.principal, digits(visit))
    return _recovery_codes(visit)


@pages.post("/enrol/passkey-options", Permission.AUTHENTICATED)
def enrol_question(visit: Visit) -> Response:
    passkeys = visit.services.identity.passkeys
    return visit.json(passkeys.options(visit.principal, visit.session_cookie))


@pages.post("/enrol/passkey", Permission.AUTHENTICATED, form=enrol)
def enrol_passkey(visit: Visit) -> Response:
    visit.services.identity.passkeys.add(
        visit.principal,
        visit.session_cookie,
        visit.form.raw("passkey"),
        visit.form.required("label", "A name for the passkey"),
    )
    return _recovery_codes(visit)


@pages.post("/enrol/done", Permission.AUTHENTICATED, form=enrol)
def enrol_done(visit: Visit) -> Response:
    return go_on(visit, visit.services.identity.sessions.proceed(visit.session_cookie))


def digits(visit: Visit) -> str:
    """Return the code that was typed, without the spaces that apps show in it."""
    return "".join(visit.form.required("code", "The code").split())


def passkey_hint(visit: Visit) -> str | None:
    """Return the address where passkeys work, if this is another."""
    origin = visit.services.identity.passkeys.origin
    return None if origin == f"https://{visit.headers.get('host', '')}" else origin or ""


def _recovery_codes(visit: Visit) -> Response:
    codes = visit.services.identity.factors.new_recovery_codes(visit.principal)
    return _enrolling(visit, codes=codes)


def _enrolling(visit: Visit, *, enrolment: object = None, codes: object = None) -> Response:
    return visit.render(
        "sign_in/enrol.html",
        enrolment=enrolment,
        codes=codes,
        onward=onward(visit),
        passkey_hint=passkey_hint(visit),
    )
