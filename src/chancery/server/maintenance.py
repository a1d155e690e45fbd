"""A service whose own certificate has expired: its doors say so, and how to get out, and open not.

OCSP, CRLs and CA certificates do not stand behind these doors: others depend
on them, and they come in clear.
"""

import html
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from chancery.server.answers import send_json

_FRESH_S = 1.0
_RETRY = (b"retry-after", b"30")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Maintenance</title></head>
<body><h1>This server is under maintenance</h1><p>{why}</p><p>{remedy}</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the doors are shut, and what opens them."""

    why: str
    remedy: str


class Maintenance:
    """Looks for trouble at most once a second; shared by all the doors of a worker."""

    def __init__(self, trouble: Callable[[], Trouble | None]) -> None:
        self._trouble = trouble
        self._found: Trouble | None = None
        self._found_at = float("-inf")

    def now(self) -> Trouble | None:
        if time.monotonic() - self._found_at >= _FRESH_S:
            self._found, self._found_at = self._trouble(), time.monotonic()
        return self._found

    def check(self) -> str | None:
        """For ``/readyz``."""
        found = self.now()
        return f"{found.why}: {found.remedy}" if found else None

    def guard(self, app: ASGIApp) -> ASGIApp:
        """*app*, but for the time of trouble."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            found = self.now() if scope["type"] == "http" else None
            if found is None:
                await app(scope, receive, send)
            else:
                await _refuse(scope, send, found)

        return guarded


async def _refuse(scope: Scope, send: Send, found: Trouble) -> None:
    accept = dict(scope["headers"]).get(b"accept", b"")
    if b"text/html" in accept and not scope["path"].startswith("/api/"):
        body = _PAGE.format(why=html.escape(found.why), remedy=html.escape(found.remedy)).encode()
        fields = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            _RETRY,
        ]
        await send({"type": "http.response.start", "status": 503, "headers": fields})
        await send({"type": "http.response.body", "body": body})
        return
    document = {
        "type": "urn:chancery:problem:unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": found.why,
        "rule": "maintenance",
        "remedy": found.remedy,
    }
    await send_json(send, 503, document, media_type="application/problem+json", headers=(_RETRY,))
