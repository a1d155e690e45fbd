"""Around every answer: security headers, a bound on the body, and no text of a bug."""

import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chancery.api.problems import Invalid, ProblemAnswer, http_problem, problem
from chancery.domain.errors import CAError

_log = logging.getLogger(__name__)

MAX_BODY: Final = 1024 * 1024  # octets; a CSR has at most 64 KiB, a profile far less
MAX_BULK: Final = 64 * 1024 * 1024  # octets: tens of thousands of requests

HEADERS: Final[list[tuple[bytes, bytes]]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")  # RFC 6797 §6.1; one year


def too_large(limit: int) -> ProblemAnswer:
    """The answer to a body above *limit* octets; the connection ends, its rest goes unread."""
    document = http_problem(
        413, f"the body may have {limit} octets", field="body", rule="body.size"
    )
    return ProblemAnswer(document, Connection="close")


class Guard:
    """Wraps an application.  *bulk* paths may send ``MAX_BULK`` octets, the others ``MAX_BODY``."""

    def __init__(self, app: ASGIApp, bulk: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._bulk = bulk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = MAX_BULK if scope["path"] in self._bulk else MAX_BODY
        started = False
        received = 0

        async def guarded(message: Message) -> None:
            nonlocal started
            if not started:
                started = True
                message["headers"] = _with_security(scope, message["headers"])
            await send(message)

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            if "body" in message:
                received += len(message["body"])
                if received > limit:
                    raise HTTPException(413)
            return message

        try:
            if declared_length(scope) > limit:
                raise HTTPException(413)
            await self._app(scope, bounded, guarded)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            if started:  # too late to say it: the connection is cut, so nobody takes it for whole
                raise
            await _answer(error, scope, limit)(scope, receive, guarded)


def _answer(error: Exception, scope: Scope, limit: int) -> ProblemAnswer:
    if isinstance(error, HTTPException) and error.status_code == 413:
        return too_large(limit)
    if not isinstance(error, CAError | Invalid):
        _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    return ProblemAnswer(problem(error))


def declared_length(scope: Scope) -> int:
    """Return Content-Length, 0 where it is absent; the HTTP parser has checked its syntax."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _with_security(
    scope: Scope, headers: "list[tuple[bytes, bytes]]"
) -> "list[tuple[bytes, bytes]]":
    if scope["path"].startswith("/api/v1/"):
        ours = HEADERS
    else:  # the documentation brings its own policy
        given = {name for name, _ in headers}
        ours = [pair for pair in HEADERS if pair[0] not in given]
    return [*headers, *ours, HSTS] if scope["scheme"] == "https" else [*headers, *ours]
