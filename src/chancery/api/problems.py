"""CAError -> RFC 9457 problem document.  The only place that knows both."""

from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from chancery.domain import errors

MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:chancery:problem:"

# Most specific class first: the first isinstance() match wins.
PROBLEMS: Final[tuple[tuple[type[errors.CAError], int, str, str], ...]] = (
    (errors.BadCSR, 400, "bad-csr", "The certification request is not acceptable"),
    (errors.BadKey, 400, "bad-key", "The key is not acceptable"),
    (errors.BadName, 400, "bad-name", "A name is not acceptable"),
    (errors.TooLarge, 413, "too-large", "The input is too large"),
    (errors.BadRequest, 400, "bad-request", "The request is malformed"),
    (errors.NotAuthenticated, 401, "not-authenticated", "Not signed in"),
    (errors.NotPermitted, 403, "not-permitted", "Not permitted"),
    (errors.LockedOut, 423, "locked-out", "Locked out"),
    (errors.TooOften, 429, "too-often", "Too many requests"),
    (errors.NotFound, 404, "not-found", "Not found"),
    (errors.AlreadyExists, 409, "already-exists", "It exists already"),
    (errors.AlreadyRevoked, 409, "already-revoked", "It is revoked already"),
    (errors.WrongState, 409, "wrong-state", "Its state does not allow this"),
    (errors.Conflict, 409, "conflict", "It contradicts what has already happened"),
    (errors.Unavailable, 503, "unavailable", "A part of the service is away"),
    (errors.SignerRefused, 500, "signer-refused", "The signer refused"),
    (errors.LintFailed, 500, "lint-failed", "The certificate would have been faulty"),
)
INTERNAL: Final = (500, "internal", "Internal error")
HTTP: Final[dict[int, tuple[str, str]]] = {
    400: ("bad-request", "The request is malformed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("too-large", "The input is too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("invalid", "The request does not have the required form"),
}
"""Problems that no CAError stands for: HTTP itself found them."""


class Invalid(Exception):
    """The body has the wrong form: 422, or 400 where it is not even JSON (*rule* ``json``)."""

    def __init__(self, detail: str, field: str, rule: str, remedy: str | None = None) -> None:
        super().__init__(detail)
        self.field: Final = field
        self.rule: Final = rule
        self.remedy: Final = remedy


_ENCODE = msgspec.json.Encoder().encode
Problem = dict[str, Any]


def problem(error: BaseException) -> Problem:
    """Return the document that tells a client about *error*; a bug's own text stays inside."""
    for kind, status, slug, title in PROBLEMS:
        if isinstance(error, kind):
            document: Problem = {
                "type": _URN + slug,
                "title": title,
                "status": status,
                "detail": str(error),
            }
            about = (("field", error.field), ("rule", error.rule), ("remedy", error.remedy))
            document.update((key, value) for key, value in about if value is not None)
            if isinstance(error, errors.TooOften):
                document["retry_after"] = error.retry_after_s
            return document
    if isinstance(error, Invalid):
        status = 400 if error.rule == "json" else 422
        remedy = {} if error.remedy is None else {"remedy": error.remedy}
        return http_problem(status, str(error), field=error.field, rule=error.rule, **remedy)
    status, slug, title = INTERNAL
    return {"type": _URN + slug, "title": title, "status": status, "detail": "internal error"}


def http_problem(status: int, detail: str, **more: object) -> Problem:
    """Return the document for something HTTP itself found (see ``HTTP``)."""
    slug, title = HTTP.get(status, (f"http-{status}", "The request cannot be served"))
    return {"type": _URN + slug, "title": title, "status": status, "detail": detail, **more}


def headers_of(document: Problem) -> dict[str, str]:
    """Return the header fields that belong to the problem's status."""
    match document["status"]:
        case 401:
            return {"WWW-Authenticate": 'Bearer realm="chancery"'}
        case 429:
            return {"Retry-After": str(document.get("retry_after", 60))}
        case 423:
            return {"Retry-After": "60"}
        case 503:
            return {"Retry-After": "1"}
        case _:
            return {}


class ProblemAnswer:
    """An ASGI answer made of a problem document."""

    def __init__(self, document: Problem, **headers: str) -> None:
        self.status: Final = document["status"]
        self.body: Final = _ENCODE(document)
        fields = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(self.body))}
        fields |= headers_of(document) | headers
        self.headers: Final = [(k.lower().encode(), v.encode("latin-1")) for k, v in fields.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
