"""The web faces as one ASGI application: from a request to the page that answers it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from chancery import peer
from chancery.domain.errors import BadRequest, CAError, NotPermitted, TooLarge, Unavailable
from chancery.services.roster import Services
from chancery.web import console, portal
from chancery.web.answering import Answering
from chancery.web.assets import Assets
from chancery.web.bodies import read_form
from chancery.web.fields import Fields, Form
from chancery.web.navigation import Navigation
from chancery.web.pages import Access, Page, Pages
from chancery.web.rendering import Renderer
from chancery.web.security import secured
from chancery.web.visit import Visit

_log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

SECTIONS: Final = (*portal.PAGES, *console.PAGES)
_THREADS: Final = 8  # pages at once in one process
_SLOW_THREADS: Final = 4
_MAX_WAITING: Final = 64  # of the slow kind; the last waits a second or two
_MAX_QUERY: Final = 200  # fields


class PageRoute(Route):
    """A route that knows its page; its path is the template that metrics count by."""

    def __init__(self, page: Page) -> None:
        super().__init__(page.path, _unused, methods=[page.method])
        self.page: Final = page


class Web:
    """Serves every page and every static file.  Handlers run in threads of their own."""

    def __init__(
        self,
        services: Services,
        sections: Sequence[Pages] = SECTIONS,
        templates: Sequence[Path] = (),
    ) -> None:
        """*templates*: folders with more of them."""
        self._sections = sections
        self._assets = Assets()
        self.renderer: Final = Renderer(self._assets, Navigation(sections), templates)
        self._answering = Answering(services, self.renderer)
        self._routes = [PageRoute(page) for pages in sections for page in pages.routes]
        self._threads = ThreadPoolExecutor(_THREADS, "page")
        # Passwords wait in a queue of their own: a flood of them costs nobody else a thread.
        self._slow = ThreadPoolExecutor(_SLOW_THREADS, "page-password")
        self._waiting = 0

    @property
    def access(self) -> list[Access]:
        """Who may see what: every page there is."""
        return [row for pages in self._sections for row in pages.access()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = secured(await self._respond(Request(scope, receive)))
        except ClientDisconnect:
            return  # nobody is left to answer
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path: str = request.scope["path"]
        if path.startswith("/static/"):
            request.scope["route"] = _STATIC
            if request.method in ("GET", "HEAD") and (file := self._assets.serve(request)):
                return file
            return await self._in_thread(self._answering.missing, request, 404)
        route, status = self._find(request.scope)
        if route is None:
            return await self._in_thread(self._answering.missing, request, status)
        request.scope["route"] = route
        try:
            return await self._page(route.page, request)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - a bug ends here; its text goes to the log
            if not isinstance(error, CAError):
                _log.exception("%s %s failed", request.method, route.path)
            return await self._in_thread(self._answering.failed, request, error)

    async def _page(self, page: Page, request: Request) -> Response:
        query = _query(request.scope)
        if page.method == "GET":
            return await self._in_thread(self._answering.show, page, request, query)
        if peer.sent_by_another_site(request.scope):
            raise NotPermitted(
                "another site made your browser send this",
                field="origin",
                rule="request.cross-site",
                remedy="open the page here, and use its own form",
            )
        # Who it is comes before what was sent: a stranger's form is not even read.
        visit = await self._in_thread(self._answering.visit, page, request, query)
        if refusal := await self._in_thread(self._answering.refusal, page, visit):
            return refusal
        try:
            visit.form = Form(await read_form(request, page.max_body))
        except CAError as error:
            response = await self._in_thread(self._answering.refused, page, visit, error)
            if isinstance(error, TooLarge):
                response.headers["connection"] = "close"  # the rest goes unread
            return response
        if page.slow:
            return await self._in_turn(page, visit)
        return await self._in_thread(self._answering.act, page, visit)

    def _find(self, scope: Scope) -> tuple[PageRoute | None, int]:
        status = 404
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return route, 200
            if match is Match.PARTIAL:
                status = 405
        return None, status

    async def _in_turn(self, page: Page, visit: Visit) -> Response:
        if self._waiting >= _MAX_WAITING:
            busy = Unavailable(
                "too many people sign in at this moment",
                rule="password.queue",
                remedy="try again in a few seconds",
            )
            return await self._in_thread(self._answering.refused, page, visit, busy)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._slow, self._answering.act, page, visit)
        finally:
            self._waiting -= 1

    async def _in_thread(self, do: Callable[P, T], *words: P.args, **_: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, do, *words)


def create_web(services: Services) -> Web:
    """Build the web faces over *services*; serve them for every path nobody else has."""
    return Web(services)


def _query(scope: Scope) -> Fields:
    if b"%00" in scope["query_string"] or "\x00" in scope["path"]:
        raise BadRequest("text may not contain NUL", field="query", rule="text.nul")
    try:
        pairs = parse_qsl(
            scope["query_string"].decode("ascii", "replace"),
            keep_blank_values=True,
            max_num_fields=_MAX_QUERY,
        )
    except ValueError:
        raise BadRequest(
            f"the query has more than {_MAX_QUERY} fields", field="query", rule="query.size"
        ) from None
    return Fields(pairs)


async def _unused(request: Request) -> Response:  # the routes only match: Web answers
    raise NotImplementedError


_STATIC: Final = Route("/static/{digest}/{name:path}", _unused)
