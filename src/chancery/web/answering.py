"""From a page and a request to a response: who it is, whether they may, what went wrong."""

import time
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from chancery import peer
from chancery.domain.errors import CAError, NotAuthenticated, NotPermitted, TooOften
from chancery.domain.identity import Permission, anonymous, confined
from chancery.domain.web_session import SessionState
from chancery.services.access import demand_within
from chancery.services.roster import Services
from chancery.web import cookies, errors, step_up
from chancery.web.fields import Fields, Form, Parsed
from chancery.web.pages import Page
from chancery.web.rendering import Renderer
from chancery.web.security import TOKEN_FIELD, check_token
from chancery.web.visit import Visit

STAGES: Final = {
    SessionState.NEEDS_FACTOR: "/console/sign-in/factor",
    SessionState.MUST_CHANGE_PASSWORD: "/console/sign-in/password",
    SessionState.MUST_ENROL_FACTOR: "/console/sign-in/enrol",
}
"""Where an unfinished sign-in goes on."""
SIGN_IN: Final = "sign-in"
"""The section whose pages may be seen before the sign-in is finished."""
_NOWHERE: Final = Page("GET", "", (Permission.PUBLIC,), lambda visit: visit.redirect("/"), "")


class Answering:
    """Synchronous: runs in the threads of ``application``."""

    def __init__(self, services: Services, renderer: Renderer) -> None:
        self._services = services
        self._renderer = renderer

    def visit(self, page: Page, request: Request, query: Fields) -> Visit:
        """Find out who visits.  A session that is over is none, and its cookie goes."""
        jar = cookies.parse(request.headers.get("cookie", ""))
        origin, ra = peer.origin_of(request.scope), peer.ra_of(request.scope)
        relayed = peer.relayed(request.scope)
        visit = Visit(
            services=self._services,
            renderer=self._renderer,
            method=page.method,
            url=_url(request),
            section=page.section,
            path=dict(request.path_params),
            query=query,
            form=Form(Parsed()),
            headers=request.headers,
            principal=confined(anonymous(origin), ra),
            session=None,
            now=self._services.clock.s(),
            origin=origin,
            receipt=relayed.receipt if relayed is not None else None,
            certificate=peer.client_certificate(request.scope),
            jar=jar,
        )
        visit.latest_cookie = visit.session_cookie
        if cookie := visit.session_cookie:
            resumed = self._services.identity.sessions.resume(cookie, origin)
            if resumed is None:
                visit.drop_session()
            else:
                visit.principal = confined(resumed.principal, ra)
                visit.session = resumed.session
                visit.waiting = resumed.waiting
                visit.fresh = resumed.fresh
        return visit

    def refusal(self, page: Page, visit: Visit) -> Response | None:
        """Return the way to what is missing (signing in, finishing it); None if they may.

        Raises NotPermitted for who is signed in and may not.
        """
        if Permission.PUBLIC in page.permissions:
            return None
        if visit.session is None:
            return visit.redirect(visit.sign_in_url())
        if not visit.session.open and page.section != SIGN_IN:
            stage = STAGES[visit.session.state]
            return visit.redirect(f"{stage}?next={quote(visit.wanted(), safe='')}")
        if not visit.may(*page.permissions):
            demand_within(visit.principal, page.permissions[0])
        return None

    def show(self, page: Page, request: Request, query: Fields) -> Response:
        """Answer a GET."""
        visit = self.visit(page, request, query)
        try:
            return self.refusal(page, visit) or page.handler(visit)
        except CAError as error:
            return self.report(visit, error)

    def act(self, page: Page, visit: Visit) -> Response:
        """Answer a POST whose sender may, as far as the page goes, and whose form is read."""
        try:
            check_token(visit)
        except CAError as error:
            return self.report(visit, error)
        if page.step_up and not visit.fresh:
            return self._step_up(visit)
        try:
            return page.handler(visit)
        except CAError as error:
            if isinstance(error, NotPermitted) and error.rule == "step-up":
                return self._step_up(visit)  # a service asks for it by itself
            return self.refused(page, visit, error)

    def refused(self, page: Page, visit: Visit, error: CAError) -> Response:
        """Draw the form again, with what was typed and what is wrong with it."""
        if page.shows is None:
            return self.report(visit, error)
        visit.error = error
        try:
            return _patient(error, page.shows(visit))
        except CAError as second:
            return self.report(visit, second)

    def report(self, visit: Visit, error: CAError) -> Response:
        """Answer with a page that says what is wrong and what to do about it."""
        if isinstance(error, NotAuthenticated) and visit.session is None:
            return visit.redirect(visit.sign_in_url())
        status, title = errors.page_of(error)
        visit.error = error
        return _patient(
            error,
            visit.render(
                "parts/failed.html",
                status=status,
                title=title,
                text=str(error),
                remedy=error.remedy,
            ),
        )

    def failed(self, request: Request, error: Exception) -> Response:
        """Answer for what went wrong before or outside a handler; a bug's own text stays inside."""
        if isinstance(error, CAError):
            return self.report(self._whoever(request), error)
        return self.missing(request, 500)

    def missing(self, request: Request, status: int) -> Response:
        """Answer 404, 405 or 500."""
        title, text = errors.HTTP[status]
        visit = self._stranger(request) if status == 500 else self._whoever(request)
        return visit.render("parts/failed.html", status=status, title=title, text=text, remedy=None)

    def _whoever(self, request: Request) -> Visit:
        """Who it is, so that the page looks like theirs; a stranger if that cannot be found out."""
        try:
            return self.visit(_NOWHERE, request, Fields(()))
        except CAError:
            return self._stranger(request)

    def _stranger(self, request: Request) -> Visit:
        """A visit that costs no look-up, and so cannot fail when the record is away."""
        return Visit(
            services=self._services,
            renderer=self._renderer,
            method=request.method,
            url=_url(request),
            section="",
            path={},
            query=Fields(()),
            form=Form(Parsed()),
            headers=request.headers,
            principal=anonymous(""),
            session=None,
            now=int(time.time()),
            jar={},
        )

    @staticmethod
    def _step_up(visit: Visit) -> Response:
        """Ask for a fresh proof, and keep what was typed, to send it again afterwards."""
        if visit.by_htmx or visit.form.has_files:
            back = quote(visit.referring_path(), safe="")
            return visit.redirect(f"{step_up.STEP_UP}?next={back}")
        kept = [pair for pair in visit.form.pairs() if pair[0] != TOKEN_FIELD]
        return step_up.ask(visit, back=visit.referring_path(), then=visit.url, kept=kept)


def _patient(error: CAError, response: Response) -> Response:
    """Say when it may be tried again, where that is known (RFC 6585 §4)."""
    if isinstance(error, TooOften):
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def _url(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
