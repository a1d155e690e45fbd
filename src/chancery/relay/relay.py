"""Passes requests on to the centre; takes submissions in where it does not answer."""

import asyncio
import base64
import json
import logging
import time
from types import SimpleNamespace
from typing import Final

import httpx2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from chancery.api.problems import Invalid, ProblemAnswer, problem
from chancery.domain.errors import CAError, NotFound, TooLarge
from chancery.relay import headers as fields
from chancery.relay.courier import Courier
from chancery.relay.intake import Item, new_code, of_form, of_program
from chancery.relay.pages import Pages
from chancery.relay.queue import Entry, Queue
from chancery.relay.upstream import Away, Upstream, unavailable
from chancery.web.portal.strangers import canonical, codes
from chancery.wire import pem

_log = logging.getLogger(__name__)

MAX_BODY: Final = 12 * 1024 * 1024  # octets: the largest upload that the portal takes
_LARGE: Final = 1024 * 1024
_LARGE_AT_ONCE: Final = 8
PROGRAMS: Final = "/api/v1/requests"
_RECEIPTS: Final = "/api/v1/receipts/"
_OPENED: Final = "/api/v1/portal/requests"
_FORMS: Final = frozenset({"/submit", "/server-key"})
_ROUTE: Final = SimpleNamespace(path="relay")  # what metrics count by: the centre knows the rest


class Relay:
    """An ASGI application: everything that is not answered by this host itself."""

    def __init__(self, upstream: Upstream, queue: Queue, courier: Courier, pages: Pages) -> None:
        self._upstream = upstream
        self._queue = queue
        self._courier = courier
        self._pages = pages
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = _ROUTE
        try:
            if scope["path"].startswith("/static/") and (
                file := self._pages.assets.serve(Request(scope))
            ):
                await file(scope, receive, send)
                return
            if scope["path"].startswith(_RECEIPTS):
                await self._receipt(scope)(scope, receive, send)
                return
            if _declared(scope) > _LARGE:
                async with self._large:
                    await self._whole(scope, receive, send)
            else:
                await self._whole(scope, receive, send)
        except ClientDisconnect:
            return
        except (CAError, Invalid) as error:
            await self._said(scope, error)(scope, receive, send)

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(scope, receive)
        if (known := await self._known_here(scope, body)) is not None:
            await known(scope, receive, send)
            return
        posts = scope["method"] == "POST"
        submits = posts and (scope["path"] == PROGRAMS or scope["path"] in _FORMS)
        code = new_code() if submits else ""
        given = fields.inward(scope)
        if code:
            given.append((b"chancery-receipt", code.encode()))
        target = scope["raw_path"].partition(b"?")[0]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        try:
            answer = await self._upstream.relay(scope["method"], target, given, body)
            try:
                await self._pass_back(scope, answer, send, whole=submits)
            finally:
                await answer.aclose()
        except Away as error:
            response = await self._meanwhile(scope, body, code, error)
            await response(scope, receive, send)

    async def _pass_back(
        self, scope: Scope, answer: httpx2.Response, send: Send, *, whole: bool
    ) -> None:
        """Send the centre's answer on; *whole*: only once all of it is here."""
        kind = answer.headers.get("content-type", "")
        if kind.startswith("application/problem+json") and _by_browser(scope):
            found = json.loads(await _read(answer) or b"{}")
            visit = self._pages.visit(Request(scope))
            page = self._pages.refused(visit, found, answer.status_code)
            await page(scope, _nothing, send)
            return
        start: Message = {
            "type": "http.response.start",
            "status": answer.status_code,
            "headers": fields.outward(answer.headers.raw),
        }
        if whole:
            body = await _read(answer)
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        await send(start)
        async for chunk in answer.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    # While nobody answers

    async def _meanwhile(self, scope: Scope, body: bytes, code: str, error: Away) -> Response:
        path, posts = scope["path"], scope["method"] == "POST"
        if code and path == PROGRAMS:
            authorization = fields.field(scope["headers"], b"authorization")
            key = fields.field(scope["headers"], b"idempotency-key")
            entry = await self._take(
                scope, code, of_program(body, authorization, key), authorization, key
            )
            return JSONResponse(entry.told(), 202, {"location": _RECEIPTS + entry.code})
        if path.startswith("/api/") or not _by_browser(scope):
            raise unavailable(error)
        request = _request(scope, body)
        visit = self._pages.visit(request)
        offers = self._courier.offers
        if posts and (path in _FORMS or path == "/check"):
            try:
                await self._pages.sent(visit, request, MAX_BODY)
                items = of_form(visit.form)
                if path == "/check":
                    return self._pages.carried(visit, [_as_pem(item) for item in items])
                return self._pages.taken(visit, await self._take(scope, code, items))
            except CAError as wrong:
                return self._pages.away(visit, offers, wrong, refused=error.refused)
        if path == "/status" and not posts:
            found = [known for one in codes(visit) if (known := self._queue.find(one))]
            return self._pages.standing(visit, found)
        return self._pages.away(visit, offers, refused=error.refused)

    async def _take(
        self,
        scope: Scope,
        code: str,
        items: tuple[Item, ...],
        authorization: str | None = None,
        key: str | None = None,
    ) -> Entry:
        client = scope.get("client")
        entry = Entry(
            code, int(time.time()), client[0] if client else "", items, authorization, key
        )
        taken = await asyncio.to_thread(self._queue.take, entry)
        self._courier.wake()
        return taken

    # What is known here

    async def _known_here(self, scope: Scope, body: bytes) -> Response | None:
        """An answer about a receipt that the centre does not know yet, or never will."""
        if scope["method"] == "POST" and scope["path"] == "/status":
            request = _request(scope, body)
            visit = self._pages.visit(request)
            form = await request.form()
            code = canonical(str(form.get("code", "")))
            entry = self._queue.find(code) if code else None
            if entry is not None and entry.state != "delivered":
                return self._pages.standing(visit, [entry])
        if scope["method"] == "GET" and scope["path"] == _OPENED:
            code = canonical(Request(scope).query_params.get("code", ""))
            entry = self._queue.find(code) if code else None
            if entry is not None and entry.state == "queued":
                return JSONResponse({"items": [], "receipt": entry.told()})
        return None

    def _receipt(self, scope: Scope) -> Response:
        code = canonical(scope["path"].removeprefix(_RECEIPTS))
        entry = self._queue.find(code) if code else None
        if entry is None:
            raise NotFound(
                "no receipt with this code is known here",
                field="code",
                rule="receipt.known",
                remedy=f"what did not have to wait is at the centre: GET {_OPENED}?code=...",
            )
        return JSONResponse(entry.told(), headers={"cache-control": "no-store"})

    def _said(self, scope: Scope, error: CAError | Invalid) -> "Response | ProblemAnswer":
        if isinstance(error, CAError) and _by_browser(scope):
            return self._pages.wrong(self._pages.visit(Request(scope)), error)
        return ProblemAnswer(problem(error))


def _as_pem(item: Item) -> str:
    """A CSR for a field of a form, which holds text alone."""
    text = str(item.get("csr", ""))
    if "-----BEGIN" in text:
        return text
    return pem.encode("CERTIFICATE REQUEST", base64.b64decode(text))


def _by_browser(scope: Scope) -> bool:
    if scope["path"].startswith("/api/"):
        return False
    return "text/html" in (fields.field(scope["headers"], b"accept") or "")


def _declared(scope: Scope) -> int:
    """How long its body may be: as long as any, where it does not say."""
    if not _length_known(scope):
        return MAX_BODY
    length = fields.field(scope["headers"], b"content-length") or "0"
    return int(length) if length.isdigit() else 0


def _length_known(scope: Scope) -> bool:
    return fields.field(scope["headers"], b"transfer-encoding") is None


async def _body(scope: Scope, receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = _declared(scope) if _length_known(scope) else 0
    more = True
    while more and size <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size = max(size, sum(map(len, parts)))
        more = message.get("more_body", False)
    if size <= MAX_BODY:
        return b"".join(parts)
    raise TooLarge(
        f"this host takes {MAX_BODY // 1024 // 1024} MiB at once",
        field="body",
        rule="body.size",
        remedy="send it in smaller pieces",
    )


async def _read(answer: httpx2.Response) -> bytes:
    """The body as it came, still encoded; Away where it breaks off."""
    try:
        return b"".join([chunk async for chunk in answer.aiter_raw()])
    except httpx2.TransportError as error:
        raise Away(str(error) or "the answer broke off") from error


def _request(scope: Scope, body: bytes) -> Request:
    """A request whose body was read already."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
