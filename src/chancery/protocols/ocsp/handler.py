"""OCSP over HTTP (RFC 6960 Appendix A, RFC 5019 §5), for any listener to call: no framework.

Every answer but a wrong method or path is 200 with an OCSPResponse: clients
look at nothing else.  Failures that the format has a word for are unsigned.
"""

import logging
from email.utils import formatdate
from hashlib import sha1
from typing import Protocol

from chancery.domain import errors
from chancery.domain.errors import CAError
from chancery.ports import Clock
from chancery.protocols.ocsp.paths import decode, split
from chancery.services.issuers import split_label
from chancery.services.status import Answer
from chancery.wire.ocsp import Failure, failure

_log = logging.getLogger(__name__)

Reply = tuple[int, list[tuple[str, str]], bytes]
"""HTTP status, headers, body."""

REQUEST_TYPE = "application/ocsp-request"
_RESPONSE_TYPE = "application/ocsp-response"
FAILURES: tuple[tuple[type[CAError], Failure], ...] = (
    # Most specific class first: the first isinstance() match wins.
    (errors.BadRequest, Failure.MALFORMED_REQUEST),
    (errors.NotFound, Failure.UNAUTHORIZED),
    (errors.NotAuthenticated, Failure.SIG_REQUIRED),
    (errors.NotPermitted, Failure.UNAUTHORIZED),
    (errors.Unavailable, Failure.TRY_LATER),
    (errors.CAError, Failure.INTERNAL_ERROR),
)
"""CAError -> OCSPResponseStatus.  The only place that knows both."""


class AnswersStatus(Protocol):
    """What the handler stands on: ``services.status.StatusService``, or a validation authority."""

    def ocsp(self, name: str, request: bytes) -> Answer: ...


class OcspHandler:
    """Answers ``/ocsp/{ca}`` (POST) and ``/ocsp/{ca}/{base64}`` (GET); without CA, for any.

    *max_age_s* bounds how long a cache may keep an answer: a revocation is
    seen through it no later than that.
    """

    def __init__(self, status: AnswersStatus, clock: Clock, *, max_age_s: int = 300) -> None:
        self._status = status
        self._clock = clock
        self._max_age_s = max_age_s

    def handle(
        self,
        method: str,
        path_tail: str,
        body: bytes,
        content_type: str | None = None,
        *,
        none_match: str | None = None,
    ) -> Reply:
        """Answer one request.

        *path_tail* is what follows ``/ocsp``, as it stood in the request
        line: not unquoted, because ``%2F`` and ``/`` differ here.
        """
        octets, encoded = split(path_tail.encode("latin-1", "replace"))
        label = octets.decode("latin-1")
        if method == "POST":
            if content_type is not None and not content_type.lower().startswith(REQUEST_TYPE):
                return _plain(415, f"send {REQUEST_TYPE}")
            return self._answer(label, body, cacheable=False)
        if method in ("GET", "HEAD"):
            try:
                request = decode(encoded)
            except ValueError:
                return _respond(failure(Failure.MALFORMED_REQUEST))
            status, headers, answer = self._answer(label, request, cacheable=True)
            if none_match is not None and ("ETag", none_match.strip()) in headers:
                return 304, [h for h in headers if h[0] != "Content-Length"], b""
            return status, headers, b"" if method == "HEAD" else answer
        return _plain(405, "use GET or POST", ("Allow", "GET, HEAD, POST"))

    def _answer(self, label: str, request: bytes, *, cacheable: bool) -> Reply:
        try:
            answer = self._status.ocsp(split_label(label), request)
        except CAError as error:
            if isinstance(error, errors.Unavailable):
                _log.warning("OCSP for %s is not possible now: %s", label, error)
            return _respond(failure(failure_of(error)))
        except Exception:  # noqa: BLE001 - the client gets an OCSPResponse whatever our bug is
            _log.exception("OCSP for %s failed", label)
            return _respond(failure(Failure.INTERNAL_ERROR))
        if not cacheable:
            return _respond(answer.der)
        return 200, self._cache_headers(answer), answer.der

    def _cache_headers(self, answer: Answer) -> list[tuple[str, str]]:
        """RFC 5019 §6.2: a cache may keep it, but not beyond nextUpdate."""
        left = max(answer.next_update - self._clock.s(), 0)
        age = min(left, self._max_age_s)
        return [
            ("Content-Type", _RESPONSE_TYPE),
            ("Content-Length", str(len(answer.der))),
            ("Last-Modified", formatdate(answer.this_update, usegmt=True)),
            ("Expires", formatdate(self._clock.s() + age, usegmt=True)),
            ("ETag", f'"{sha1(answer.der, usedforsecurity=False).hexdigest()}"'),
            ("Cache-Control", f"max-age={age}, public, no-transform, must-revalidate"),
        ]


def failure_of(error: CAError) -> Failure:
    """How OCSP says it."""
    return next(word for kind, word in FAILURES if isinstance(error, kind))


def _respond(body: bytes) -> Reply:
    headers = [
        ("Content-Type", _RESPONSE_TYPE),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    return 200, headers, body


def _plain(status: int, text: str, *more: tuple[str, str]) -> Reply:
    body = f"{text}\n".encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *more]
    return status, headers, body
