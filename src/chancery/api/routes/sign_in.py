"""Sessions behind a cookie: for browsers, and for programs that sign in as a browser does.

Each answer that moves the session on sets its new cookie.  What changes
anything carries the session's *csrf* in the field X-CSRF-Token.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from pydantic import Field

from chancery import peer
from chancery.api.authentication import Authenticator, refuse_cross_site, session_cookie
from chancery.api.bodies import Using
from chancery.api.models import Done, In, Out
from chancery.api.routing import Door
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission
from chancery.domain.web_session import Proof
from chancery.services.identity.sessions import COOKIE, Opened, SessionService
from chancery.services.roster import Services
from chancery.wire import documents

door = Door("/session", "session")

Secret = Annotated[str, Field(min_length=1, max_length=4096)]
Code = Annotated[str, Field(min_length=1, max_length=100)]
_GONE: Final = "there is no session here"


class SessionOut(Out):
    """A session as whoever holds its cookie sees it."""

    id: str
    state: str = Field(description="open, or what is left to do")
    user: str
    partner: str | None = Field(description="who has signed in together with the user")
    methods: list[Proof]
    awaited: str | None = Field(description="whose second factor comes next")
    waiting: list[str] = Field(description="groups that count once a second member signs in")
    fresh: bool = Field(description="everybody here proved who they are moments ago")
    csrf: str = Field(description="for the field X-CSRF-Token")
    created_at: int
    ends_at: int


class SignIn(In):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Secret


class CodeIn(In):
    code: Code


class PasskeyIn(In):
    answer: dict[str, Any] = Field(description="of navigator.credentials.get, as JSON")


class ChangeIn(In):
    old: Secret
    new: Secret


class StepUpIn(In):
    """One of the three.  *name*: which of the two in a joint session."""

    name: Annotated[str, Field(max_length=64)] = ""
    password: Secret | None = None
    code: Code | None = None
    answer: dict[str, Any] | None = None


class Browser:
    """The other end of a request about a session."""

    def __init__(self, request: Request) -> None:
        self.cookie: Final = session_cookie(request.scope)
        self.origin: Final = peer.origin_of(request.scope)
        self.agent: Final = request.headers.get("user-agent", "")
        authenticator: Authenticator = request.app.state.authenticator
        self.queued: Final = authenticator.queued
        if request.method != "GET":
            refuse_cross_site(request.scope)

    def must_have_session(self) -> str:
        if not self.cookie:
            raise NotFound(
                _GONE,
                field="session",
                rule="session",
                remedy="sign in with POST /api/v1/session and keep its cookie",
            )
        return self.cookie


From = Annotated[Browser, Depends(Browser)]


@door.route("POST", "", Permission.PUBLIC, status=201)
async def begin(browser: From, using: Using, response: Response, body: SignIn) -> SessionOut:
    """Sign in by name and password; *state* says what comes next."""
    opened = await browser.queued(
        _sessions(using).begin, body.name, body.password, browser.origin, browser.agent
    )
    return _moved(opened, using, browser, response)


@door.route("GET", "", Permission.PUBLIC)
def show(browser: From, using: Using) -> SessionOut:
    """Show the session of the cookie."""
    return _shown(browser.must_have_session(), using, browser)


@door.route("DELETE", "", Permission.PUBLIC, status=204)
def end(browser: From, using: Using, response: Response) -> None:
    """Sign out; a joint session ends for both."""
    if browser.cookie:
        _sessions(using).end(browser.cookie, browser.origin)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


@door.route("POST", "/totp", Permission.PUBLIC)
def totp(browser: From, using: Using, response: Response, body: CodeIn) -> SessionOut:
    """Go on by a code of the authenticator app."""
    opened = _sessions(using).totp(browser.must_have_session(), body.code, browser.origin)
    return _moved(opened, using, browser, response)


@door.route("POST", "/recovery", Permission.PUBLIC)
def recovery(browser: From, using: Using, response: Response, body: CodeIn) -> SessionOut:
    """Go on by a recovery code."""
    opened = _sessions(using).recovery(browser.must_have_session(), body.code, browser.origin)
    return _moved(opened, using, browser, response)


@door.route("POST", "/passkey/options", Permission.PUBLIC)
def passkey_options(browser: From, using: Using) -> dict[str, Any]:
    """Return what ``navigator.credentials.get`` takes, to sign in or to step up."""
    cookie = browser.must_have_session()
    resumed = _sessions(using).resume(cookie, browser.origin)
    if resumed is not None and not resumed.session.awaited:
        return _sessions(using).step_up_passkey_options(cookie)
    return _sessions(using).passkey_options(cookie)


@door.route("POST", "/passkey", Permission.PUBLIC)
def passkey(browser: From, using: Using, response: Response, body: PasskeyIn) -> SessionOut:
    """Go on by a passkey."""
    opened = _sessions(using).passkey(
        browser.must_have_session(), _text(body.answer), browser.origin
    )
    return _moved(opened, using, browser, response)


@door.route("POST", "/password", Permission.PUBLIC)
async def change_password(
    browser: From, using: Using, response: Response, body: ChangeIn
) -> SessionOut:
    """Change one's password, also where that must be done before anything else."""
    opened = await browser.queued(
        _sessions(using).change_password,
        browser.must_have_session(),
        body.old,
        body.new,
        browser.origin,
    )
    return _moved(opened, using, browser, response)


@door.route("POST", "/proceed", Permission.PUBLIC)
def proceed(browser: From, using: Using, response: Response) -> SessionOut:
    """Go on after enrolling the second factor that was required."""
    opened = _sessions(using).proceed(browser.must_have_session())
    return _moved(opened, using, browser, response)


@door.route("POST", "/step-up", Permission.PUBLIC)
async def step_up(browser: From, using: Using, response: Response, body: StepUpIn) -> SessionOut:
    """Prove again who one is, by the password or, where there is one, a second factor."""
    sessions, cookie = _sessions(using), browser.must_have_session()
    given = [one for one in (body.password, body.code, body.answer) if one is not None]
    if len(given) != 1:
        raise BadRequest(
            "give one of password, code and answer", field="password", rule="step-up.method"
        )
    work: Callable[[str, str, str, str], Opened]
    if body.password is not None:
        work, shown = sessions.step_up_password, body.password
    elif body.code is not None:
        work, shown = sessions.step_up_totp, body.code
    else:
        work, shown = sessions.step_up_passkey, _text(body.answer)
    opened = await browser.queued(work, cookie, shown, browser.origin, body.name)
    return _moved(opened, using, browser, response)


@door.route("POST", "/join", Permission.PUBLIC)
async def join(browser: From, using: Using, response: Response, body: SignIn) -> SessionOut:
    """Let a second member of a group that requires two logins sign in here, too."""
    opened = await browser.queued(
        _sessions(using).join_begin,
        browser.must_have_session(),
        body.name,
        body.password,
        browser.origin,
    )
    return _moved(opened, using, browser, response)


@door.route("DELETE", "/join", Permission.PUBLIC)
def cancel_join(browser: From, using: Using) -> Done:
    """Go on without whoever was about to join."""
    _sessions(using).join_cancel(browser.must_have_session())
    return Done()


def keep(response: Response, opened: Opened) -> None:
    """Give the browser the cookie that counts from now on."""
    response.set_cookie(COOKIE, opened.cookie, path="/", secure=True, httponly=True, samesite="lax")


def _sessions(using: Services) -> SessionService:
    return using.identity.sessions


def _moved(opened: Opened, using: Services, browser: Browser, response: Response) -> SessionOut:
    keep(response, opened)
    return _shown(opened.cookie, using, browser)


def _shown(cookie: str, using: Services, browser: Browser) -> SessionOut:
    resumed = _sessions(using).resume(cookie, browser.origin)
    if resumed is None:
        raise NotFound(_GONE, field="session", rule="session", remedy="sign in again")
    web = resumed.session
    return SessionOut(
        id=web.id,
        state=web.state.value,
        user=web.user,
        partner=web.partner or None,
        methods=list(web.methods),
        awaited=web.awaited or None,
        waiting=list(resumed.waiting),
        fresh=resumed.fresh,
        csrf=web.csrf,
        created_at=web.created_at,
        ends_at=web.ends_at,
    )


def _text(answer: dict[str, Any] | None) -> str:
    return documents.encode(answer or {}).decode()
