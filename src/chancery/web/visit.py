"""What a page's handler gets: who asks for what, and how to answer."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chancery.domain.errors import CAError, TooOften
from chancery.domain.gateway import Receipt
from chancery.domain.identity import Permission, Principal
from chancery.domain.web_session import WebSession
from chancery.services.roster import Services
from chancery.web import cookies
from chancery.web.fields import Fields, Form

if TYPE_CHECKING:
    from chancery.web.rendering import Renderer

LEVELS: Final = frozenset({"success", "info", "warning", "danger"})
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NOTICE: Final = 400  # characters; it travels in a cookie


@dataclass(slots=True)
class Visit:
    """One request for one page.  Handlers are synchronous; each runs in a thread.

    *principal* has been admitted to the page.  *session* is None for who is
    not signed in.  *query* and *form* are ``Fields``, *path* the parameters
    of the route, *partial* is set where htmx asked for a piece of the page,
    *error* where a form is drawn again because its POST was refused; *now* is
    in Unix seconds.
    """

    services: Services
    renderer: "Renderer"
    method: str
    url: str  # path and query, as asked for
    section: str
    path: Mapping[str, str]
    query: Fields
    form: Form
    headers: Headers
    principal: Principal
    session: WebSession | None
    now: int
    origin: str = ""  # network address
    certificate: str | None = None  # hex SHA-256 of the TLS client certificate
    error: CAError | None = None
    receipt: Receipt | None = None  # what a gateway's submission is to be known by
    waiting: tuple[str, ...] = ()  # groups that count once a second member has signed in here
    fresh: bool = False  # everybody in the session proved who they are moments ago
    jar: dict[str, str] = field(default_factory=dict)
    latest_cookie: str = ""  # of the session: as it came, or as it was rotated since
    set_cookies: list[str] = field(default_factory=list)

    # What was asked

    @property
    def partial(self) -> bool:
        return self.headers.get("hx-request-type") == "partial"

    @property
    def by_htmx(self) -> bool:
        return self.headers.get("hx-request") == "true"

    @property
    def agent(self) -> str:
        return self.headers.get("user-agent", "")

    @property
    def here(self) -> str:
        """The path asked for, without the query."""
        return self.url.partition("?")[0]

    def may(self, *permissions: Permission) -> bool:
        """Say whether the visitor holds one of *permissions*."""
        return any(p in self.principal.permissions for p in permissions)

    @property
    def csrf(self) -> str:
        """The token that every form of this visitor carries."""
        if self.session is not None:
            return self.session.csrf
        token = self.jar.get(cookies.FORM, "")
        if not cookies.is_form_token(token):
            token = self.jar[cookies.FORM] = cookies.new_form_token()
            self.set_cookies.append(cookies.header(cookies.FORM, token))
        return token

    # How to answer

    def render(
        self, template: str, *, status: int = 200, block: str | None = None, **context: Any
    ) -> Response:
        """Answer with a page; with its *block* alone where htmx asked for a piece of it."""
        if self.error is not None and status == 200:
            status = self.renderer.status_of(self.error)
        notices: list[tuple[str, str]] = []
        if block is None or not self.partial:
            block = None
            notices = self._take_notices()
        text = self.renderer.page(self, template, block, {"notices": notices, **context})
        response = HTMLResponse(text, status)
        if isinstance(self.error, TooOften):
            response.headers["retry-after"] = str(self.error.retry_after_s)
        return self.finish(response)

    def redirect(self, url: str, notice: str | None = None, level: str = "success") -> Response:
        """Go on to *url*, a path of ours; *notice* appears on the page there."""
        assert is_local(url), url
        assert level in LEVELS, level
        if notice is not None:
            packed = base64.urlsafe_b64encode(json.dumps([level, notice[:_MAX_NOTICE]]).encode())
            self.set_cookies.append(cookies.header(cookies.NOTICE, packed.decode(), lasts_s=60))
        if self.by_htmx:  # a fetch would follow a 303 by itself, and put the page into a piece
            return self.finish(Response(headers={"hx-redirect": url}))
        return self.finish(RedirectResponse(url, 303))

    def leave(self, url: str) -> Response:
        """Go to another site: only where the settings send people, never where a request says."""
        assert url.startswith("https://"), url
        return self.finish(RedirectResponse(url, 303))

    def download(
        self, data: bytes, filename: str, media_type: str = "application/octet-stream"
    ) -> Response:
        """Answer with a file to keep, never to show."""
        name = _UNSAFE.sub("_", filename).strip("._")[:120] or "file"
        response = Response(data, media_type=media_type)
        response.headers["content-disposition"] = f'attachment; filename="{name}"'
        return self.finish(response)

    def json(self, document: object, status: int = 200) -> Response:
        """Answer a script of ours (charts, passkeys)."""
        return self.finish(Response(json.dumps(document), status, media_type="application/json"))

    # Sessions

    def keep_session(self, cookie: str) -> None:
        """Give the browser the cookie of its (new, rotated) session."""
        self.latest_cookie = cookie
        self.set_cookies.append(cookies.header(cookies.SESSION, cookie))

    def drop_session(self) -> None:
        self.set_cookies.append(cookies.header(cookies.SESSION, "", lasts_s=0))

    def cookie(self, name: str) -> str:
        """Return a cookie of ours, "" where there is none."""
        return self.jar.get(name, "")

    @property
    def session_cookie(self) -> str:
        return self.cookie(cookies.SESSION)

    def sign_in_url(self) -> str:
        """The sign-in page that leads back here."""
        return f"/console/sign-in?next={quote(self.wanted(), safe='')}"

    def wanted(self) -> str:
        """The page to come back to: this one, or the one whose form was sent."""
        return self.url if self.method == "GET" else self.referring_path()

    def referring_path(self) -> str:
        """The page of ours this was sent from; the console's home if that is unknown."""
        sent_from = self.headers.get("hx-current-url") or self.headers.get("referer", "")
        scheme, _, rest = sent_from.partition("://")
        host, slash, path = rest.partition("/")
        if scheme == "https" and slash and host == self.headers.get("host"):
            return "/" + path if is_local("/" + path) else "/console"
        return "/console"

    def finish(self, response: Response) -> Response:
        """Add the cookies that were set; ``render`` and its like do it themselves."""
        for line in self.set_cookies:
            response.headers.append("set-cookie", line)
        self.set_cookies.clear()
        return response

    def _take_notices(self) -> list[tuple[str, str]]:
        packed = self.jar.pop(cookies.NOTICE, "")
        if not packed:
            return []
        self.set_cookies.append(cookies.header(cookies.NOTICE, "", lasts_s=0))
        try:
            level, text = json.loads(base64.urlsafe_b64decode(packed))
        except (ValueError, TypeError):
            return []
        return [(level, str(text)[:_MAX_NOTICE])] if level in LEVELS else []


def is_local(url: str) -> bool:
    r"""Say whether *url* stays on this server: an absolute path, no "//host", no "/\host"."""
    return re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}", url) is not None


def next_of(fields: Fields, default: str = "/console") -> str:
    """Return where to go on after signing in, as ``next`` says, if that is a page of ours."""
    wanted = fields.text("next")
    return wanted if wanted and is_local(wanted) else default
