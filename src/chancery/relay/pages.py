"""The few pages of our own: while the centre is away, and where it sends us away."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response

from chancery import peer
from chancery.domain.errors import CAError, NotPermitted
from chancery.domain.identity import anonymous, confined
from chancery.relay.intake import MAX_FILES
from chancery.relay.queue import Entry
from chancery.services.roster import Services
from chancery.web import cookies, errors
from chancery.web import portal as sections
from chancery.web.assets import Assets
from chancery.web.bodies import read_form
from chancery.web.fields import Fields, Form, Parsed
from chancery.web.navigation import Navigation
from chancery.web.portal.strangers import remember
from chancery.web.rendering import Renderer
from chancery.web.security import check_token, secured
from chancery.web.visit import Visit

_TEMPLATES: Final = Path(__file__).with_name("templates")
_RETRY_S: Final = 30


class Pages:
    """Draws them in the looks of the portal; there is no session and no record."""

    def __init__(self, name: str, ra: str) -> None:
        self._name = name
        self._ra = ra
        self.assets: Final = Assets()
        self._renderer = Renderer(self.assets, Navigation(sections.PAGES), (_TEMPLATES,))

    def visit(self, request: Request) -> Visit:
        """A visitor nobody knows."""
        origin = peer.origin_of(request.scope)
        return Visit(
            # None of these pages asks a service: they are all at the centre.
            services=cast("Services", None),
            renderer=self._renderer,
            method=request.method,
            url=request.url.path,
            section="portal-status" if request.url.path == "/status" else "portal-home",
            path={},
            query=Fields(()),
            form=Form(Parsed()),
            headers=request.headers,
            principal=confined(anonymous(origin), self._ra),
            session=None,
            now=int(time.time()),
            origin=origin,
            jar=cookies.parse(request.headers.get("cookie", "")),
        )

    @staticmethod
    async def sent(visit: Visit, request: Request, limit: int) -> None:
        """Read the form of a POST, and refuse it unless it is from a page of ours."""
        if peer.sent_by_another_site(request.scope):
            raise NotPermitted(
                "another site made your browser send this",
                field="origin",
                rule="request.cross-site",
                remedy="open the page here, and use its own form",
            )
        visit.form = Form(await read_form(request, limit))
        check_token(visit)

    def away(
        self,
        visit: Visit,
        offers: Sequence[dict[str, Any]],
        error: CAError | None = None,
        *,
        refused: bool = False,
    ) -> Response:
        """The centre does not answer; what can be done here meanwhile."""
        visit.error = error
        status = 503 if error is None else 0
        return self._draw(
            visit, "relay/away.html", status, offers=offers, refused=refused, bound=MAX_FILES
        )

    def carried(self, visit: Visit, texts: Sequence[str]) -> Response:
        """Instead of a check: send it unchecked, or wait.  *texts* are requests in PEM."""
        kept = [pair for pair in visit.form.pairs() if pair[0] not in ("csr", "csrf") and pair[1]]
        return self._draw(visit, "relay/unchecked.html", 503, kept=kept, texts=texts)

    def taken(self, visit: Visit, entry: Entry) -> Response:
        """The receipt."""
        remember(visit, entry.code)
        return self._draw(visit, "relay/taken.html", 202, entry=entry, code=entry.code)

    def standing(self, visit: Visit, entries: Sequence[Entry]) -> Response:
        """What is known here of some receipts; the browser may open what they lead to."""
        for entry in entries:
            remember(visit, entry.code)
        return self._draw(visit, "relay/standing.html", 200, entries=entries)

    def refused(self, visit: Visit, problem: dict[str, Any], status: int) -> Response:
        """A refusal that the centre gave as a document, for people."""
        return self._draw(
            visit,
            "parts/failed.html",
            status,
            title="This is not done here",
            text=str(problem.get("detail", "")),
            remedy=problem.get("remedy"),
        )

    def wrong(self, visit: Visit, error: CAError) -> Response:
        status, title = errors.page_of(error)
        visit.error = error
        return self._draw(
            visit,
            "parts/failed.html",
            status,
            title=title,
            text=str(error),
            remedy=error.remedy,
        )

    def _draw(self, visit: Visit, template: str, status: int, **context: Any) -> Response:
        response = secured(visit.render(template, status=status or 200, host=self._name, **context))
        if response.status_code == 503:
            response.headers["retry-after"] = str(_RETRY_S)
        return response
