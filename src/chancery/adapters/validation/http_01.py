"""HTTP validation (RFC 8555 §8.3): a file at a well-known place on port 80."""

import hmac
import http.client
import ipaddress
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from chancery import __version__
from chancery.adapters.validation.failing import Failed
from chancery.adapters.validation.reaching import Pinned, bounded
from chancery.adapters.validation.resolving import addresses
from chancery.domain import name_syntax
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.errors import BadName
from chancery.ports_acme import Question

_REDIRECTS: Final = 5
_MOST: Final = 8_192
"""Octets of a body that are read; a key authorization has about 90."""
_URL: Final = 2_000
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class _Place:
    tls: bool
    host: str
    port: int
    target: str

    @property
    def url(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{shown}:{self.port}{self.target}"


def check(question: Question, settings: AcmeSettings) -> None:
    """Raise Failed unless the host shows the key authorization."""
    place = _Place(
        tls=False,
        host=question.identifier.base,
        port=settings.http_port,
        target=f"/.well-known/acme-challenge/{question.token}",
    )
    for _ in range(_REDIRECTS + 1):
        found = _fetch(place, settings)
        if isinstance(found, _Place):
            place = found
            continue
        if not hmac.compare_digest(found.rstrip(), question.key_authorization.encode()):
            shown = found[:80].decode("utf-8", "replace")
            raise Failed("incorrectResponse", f"{place.url} shows {shown!r}: something else")
        return
    raise Failed("connection", f"more than {_REDIRECTS} redirections, the last to {place.url}")


def _fetch(place: _Place, settings: AcmeSettings) -> "bytes | _Place":
    """The body, or where it is said to have gone."""
    found = addresses(place.host, settings)
    connection = Pinned(place.host, place.port, found, settings.timeout_s, tls=place.tls)
    headers = {
        "User-Agent": f"Chancery/{__version__} (ACME http-01 validation)",
        "Accept": "*/*",
        "Connection": "close",
    }
    try:
        with bounded(connection, settings.timeout_s):
            connection.request("GET", place.target, headers=headers)
            answer = connection.getresponse()
            if answer.status in _MOVED:
                return _moved(place, answer.getheader("Location"), settings)
            body = answer.read(_MOST + 1)
            status = answer.status
    except Failed:
        raise
    except TimeoutError:
        raise Failed("connection", f"{place.url} did not answer in time") from None
    except ssl.SSLError as error:
        raise Failed("tls", f"{place.url}: {error.reason or 'no TLS'}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed("connection", f"{place.url}: {type(error).__name__}") from None
    if status != 200:
        raise Failed("unauthorized", f"{place.url} answers {status}")
    if len(body) > _MOST:
        raise Failed("incorrectResponse", f"{place.url} answers more than {_MOST} octets")
    return body


def _moved(place: _Place, location: str | None, settings: AcmeSettings) -> _Place:
    """Where a redirection leads, within the ports and schemes that are for us."""
    if not location or len(location) > _URL:
        raise Failed("connection", f"{place.url} redirects to nowhere")
    try:
        parts = urlsplit(urljoin(place.url, location))
        host, given = parts.hostname or "", parts.port
    except ValueError:
        raise Failed("connection", f"{place.url} redirects to no URL") from None
    tls = parts.scheme == "https"
    ours = settings.tls_port if tls else settings.http_port
    port = ours if given is None else given
    if parts.scheme not in ("http", "https") or port != ours or "@" in parts.netloc:
        raise Failed("connection", f"{place.url} redirects to {location[:100]!r}: not followed")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Place(tls=tls, host=_host(host, place), port=port, target=target)


def _host(host: str, place: _Place) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return name_syntax.dns(host)
    except BadName:
        raise Failed("connection", f"{place.url} redirects to a host that is none") from None
