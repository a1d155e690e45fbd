"""CRLs and CA certificates over HTTP (RFC 5280 §4.2.1.13 and §4.2.2.1, RFC 2585): plain files.

No framework, so that any listener can call it.
"""

from email.utils import formatdate, parsedate_to_datetime
from hashlib import sha256

from chancery.domain.errors import CAError, NotFound
from chancery.ports import Clock
from chancery.services.status import StatusService
from chancery.wire import crl

Reply = tuple[int, list[tuple[str, str]], bytes]
"""HTTP status, headers, body."""

_CRL_TYPE = "application/pkix-crl"
_CERTIFICATE_TYPE = "application/pkix-cert"

_File = tuple[bytes, str, int, int]
"""Content, ETag, Last-Modified and end of validity in Unix seconds."""


class FileHandler:
    """Answers ``/crl/{ca}.crl`` and ``/ca/{ca}.cer``.

    *max_age_s* bounds how long a cache may keep a CRL; certificates change
    seldom and may be kept a day.
    """

    def __init__(self, status: StatusService, clock: Clock, *, max_age_s: int = 300) -> None:
        self._status = status
        self._clock = clock
        self._max_age_s = max_age_s
        self._files: dict[str, _File] = {}

    def crl(
        self, method: str, label: str, *, none_match: str | None = None, since: str | None = None
    ) -> Reply:
        """*label* is the path without ``.crl``; *none_match* and *since* are request headers."""
        try:
            data = self._status.latest_crl(label)
        except CAError as error:
            return _failed(error)
        known = self._files.get(label)
        # The service hands out one object until there is a newer CRL.
        if known is None or known[0] is not data:
            decoded = crl.decode(data)
            known = (data, _etag(data), decoded.this_update, decoded.next_update)
            self._files[label] = known
        left = max(known[3] - self._clock.s(), 0)
        age = min(left, self._max_age_s)
        return _file(method, known, _CRL_TYPE, age, none_match, since)

    def certificate(
        self, method: str, label: str, *, none_match: str | None = None, since: str | None = None
    ) -> Reply:
        """*label* is the path's last part without ``.cer``."""
        try:
            data = self._status.authority_certificate(label)
        except CAError as error:
            return _failed(error)
        file = (data, _etag(data), 0, 0)
        return _file(method, file, _CERTIFICATE_TYPE, 86_400, none_match, since)


def _file(
    method: str, file: _File, kind: str, age: int, none_match: str | None, since: str | None
) -> Reply:
    if method not in ("GET", "HEAD"):
        return 405, [("Allow", "GET, HEAD"), ("Content-Length", "0")], b""
    data, etag, modified, _ = file
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(data))),
        ("ETag", etag),
        ("Cache-Control", f"max-age={age}, public, no-transform"),
    ]
    if modified:
        headers.append(("Last-Modified", formatdate(modified, usegmt=True)))
    if _unchanged(etag, modified, none_match, since):
        return 304, [h for h in headers if h[0] != "Content-Length"], b""
    return 200, headers, b"" if method == "HEAD" else data


def _unchanged(etag: str, modified: int, none_match: str | None, since: str | None) -> bool:
    """RFC 9110 §13.2.2: If-None-Match decides alone where it is sent."""
    if none_match is not None:
        return none_match.strip() == "*" or etag in (t.strip() for t in none_match.split(","))
    if since is None or not modified:
        return False
    try:
        return parsedate_to_datetime(since).timestamp() >= modified
    except (ValueError, TypeError, OverflowError):
        return False


def _etag(data: bytes) -> str:
    return f'"{sha256(data).hexdigest()[:32]}"'


def _failed(error: CAError) -> Reply:
    status = 404 if isinstance(error, NotFound) else 503
    body = f"{error}\n".encode()
    return status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], body
