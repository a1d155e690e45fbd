"""Your account: what you sign in with, and where you are signed in."""

from urllib.parse import quote

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.web.console.second_factor import digits, passkey_hint
from chancery.web.pages import Pages
from chancery.web.step_up import STEP_UP
from chancery.web.visit import Visit

pages = Pages("/console/account", section="account")
HOME = pages.prefix


@pages.get("", Permission.AUTHENTICATED)
def home(visit: Visit) -> Response:
    identity, principal = visit.services.identity, visit.principal
    return visit.render(
        "console/account/home.html",
        user=identity.users.show(principal, principal.name),
        factors=identity.factors.of(principal),
        sessions=identity.sessions.of(principal),
        tokens=identity.tokens.mine(principal) if visit.may(Permission.TOKEN_OWN) else [],
        certificates=identity.certificates.of(principal, principal.name),
    )


@pages.get("/password", Permission.AUTHENTICATED)
def password(visit: Visit) -> Response:
    return visit.render("console/account/password.html")


@pages.post("/password", Permission.AUTHENTICATED, slow=True)
def change_password(visit: Visit) -> Response:
    old, new = visit.form.raw("current"), visit.form.raw("password")
    if new != visit.form.raw("again"):
        raise BadRequest(
            "the two entries of the new password differ", field="again", rule="password.again"
        )
    sessions = visit.services.identity.sessions
    opened = sessions.change_password(visit.session_cookie, old, new, visit.origin)
    visit.keep_session(opened.cookie)
    return visit.redirect(HOME, "Your password is changed; your other sessions have ended.")


# Authenticator app


@pages.post("/app", Permission.AUTHENTICATED, step_up=True, form=home)
def start_app(visit: Visit) -> Response:
    """Show the secret, once."""
    enrolment = visit.services.identity.factors.start_totp(visit.principal)
    return visit.render("console/account/app.html", enrolment=enrolment)


@pages.get("/app/code", Permission.AUTHENTICATED)
def app_code(visit: Visit) -> Response:
    """Ask for the first code again, after a wrong one; the secret is shown no more."""
    return visit.render("console/account/app.html", enrolment=None)


@pages.post("/app/code", Permission.AUTHENTICATED)
def confirm_app(visit: Visit) -> Response:
    factors = visit.services.identity.factors.confirm_totp(visit.principal, digits(visit))
    if not factors.recovery_codes and visit.fresh:
        return _new_codes(visit)
    return visit.redirect(HOME, "Your authenticator app is in use.")


@pages.post("/app/remove", Permission.AUTHENTICATED, step_up=True, form=home)
def remove_app(visit: Visit) -> Response:
    visit.services.identity.factors.remove_totp(visit.principal)
    return visit.redirect(HOME, "Your authenticator app is no longer in use.")


# Passkeys


@pages.get("/passkeys/new", Permission.AUTHENTICATED)
def new_passkey(visit: Visit) -> Response:
    if not visit.fresh:
        return visit.redirect(f"{STEP_UP}?next={quote(f'{HOME}/passkeys/new', safe='')}")
    return visit.render("console/account/passkey.html", passkey_hint=passkey_hint(visit))


@pages.post("/passkeys/new", Permission.AUTHENTICATED, step_up=True)
def add_passkey(visit: Visit) -> Response:
    identity = visit.services.identity
    identity.passkeys.add(
        visit.principal,
        visit.session_cookie,
        visit.form.raw("passkey"),
        visit.form.required("label", "A name for the passkey"),
    )
    if not identity.factors.of(visit.principal).recovery_codes:
        return _new_codes(visit)
    return visit.redirect(HOME, "The passkey is registered.")


@pages.post("/passkeys/options", Permission.AUTHENTICATED)
def passkey_options(visit: Visit) -> Response:
    """What the browser's dialog takes."""
    passkeys = visit.services.identity.passkeys
    return visit.json(passkeys.options(visit.principal, visit.session_cookie))


@pages.post("/passkeys/{id}/rename", Permission.AUTHENTICATED, form=home)
def rename_passkey(visit: Visit) -> Response:
    label = visit.form.required("label", "A name for the passkey")
    visit.services.identity.passkeys.rename(visit.principal, visit.path["id"], label)
    return visit.redirect(HOME, f"It is called {label} now.")


@pages.post("/passkeys/{id}/remove", Permission.AUTHENTICATED, step_up=True, form=home)
def remove_passkey(visit: Visit) -> Response:
    visit.services.identity.passkeys.remove(visit.principal, visit.path["id"])
    return visit.redirect(HOME, "The passkey opens your account no longer.")


@pages.post("/recovery-codes", Permission.AUTHENTICATED, step_up=True, form=home)
def recovery_codes(visit: Visit) -> Response:
    return _new_codes(visit)


# Sessions


@pages.post("/sessions/{id}/end", Permission.AUTHENTICATED, form=home)
def end_session(visit: Visit) -> Response:
    visit.services.identity.sessions.end_one(visit.principal, visit.path["id"])
    if visit.session is not None and visit.path["id"] == visit.session.id:
        visit.drop_session()
        return visit.redirect("/console/sign-in", "You are signed out.")
    return visit.redirect(HOME, "The session has ended.")


@pages.post("/sessions/end-others", Permission.AUTHENTICATED, form=home)
def end_others(visit: Visit) -> Response:
    keep = visit.session.id if visit.session is not None else ""
    visit.services.identity.sessions.end_all(visit.principal, keep=keep)
    return visit.redirect(HOME, "Your other sessions have ended.")


# API tokens


@pages.get("/tokens/new", Permission.TOKEN_OWN)
def new_token(visit: Visit) -> Response:
    return visit.render("console/account/token.html", scopes=_scopes(visit), made=None, secret="")


@pages.post("/tokens/new", Permission.TOKEN_OWN, step_up=True)
def make_token(visit: Visit) -> Response:
    """Show the secret, once."""
    wanted = set(visit.form.all("scopes"))
    known = _scopes(visit)
    scopes = [permission for permission in known if permission.value in wanted]
    if not scopes:
        raise BadRequest(
            "a token that may do nothing is of no use", field="scopes", rule="token.scope"
        )
    days = visit.form.number("days", 30, least=1, most=3650) or 30
    made, secret = visit.services.identity.tokens.create(
        visit.principal,
        label=visit.form.required("label", "What it is for"),
        days=days,
        scopes=None if len(scopes) == len(known) else scopes,
    )
    return visit.render("console/account/token.html", scopes=known, made=made, secret=secret)


@pages.post("/tokens/{id}/revoke", Permission.TOKEN_OWN, form=home)
def revoke_token(visit: Visit) -> Response:
    visit.services.identity.tokens.revoke(visit.principal, visit.path["id"])
    return visit.redirect(HOME, "The token is revoked.")


def _scopes(visit: Visit) -> list[Permission]:
    """What one may pass on: everything but what every account may do."""
    always = {Permission.PUBLIC, Permission.AUTHENTICATED}
    return sorted(visit.principal.permissions - always)


def _new_codes(visit: Visit) -> Response:
    codes = visit.services.identity.factors.new_recovery_codes(visit.principal)
    return visit.render("console/account/recovery_codes.html", codes=codes)
