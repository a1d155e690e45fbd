"""The way to the centre: mutual TLS, pooled connections, and knowing when nobody answers."""

import logging
import ssl
import time
from pathlib import Path
from typing import Final

import httpx2

from chancery.domain.errors import BadRequest, Unavailable
from chancery.settings_gateway import Centre

_log = logging.getLogger(__name__)

_PAUSE_S: Final = 2.0
"""After a failure nobody waits for another one: so long the centre counts as away."""

_NOT_ADMITTED: Final = (
    "the centre does not admit this host: are its [[gateways]] set, and is our client"
    " certificate bound, valid and not revoked?"
)

Headers = list[tuple[bytes, bytes]]


class Away(Exception):
    """The centre did not answer; *refused*: it does, and does not know this host as its own."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused: Final = refused


class Upstream:
    """Both ways of asking: asynchronous for what is relayed, synchronous for the courier.

    Certificate and key are read again when their files change.
    """

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._base = httpx2.URL(centre.url)
        self._stamp = self._stamps()
        self._tls = self._context()
        self._relaying = self._async_client()
        self._asking = self._sync_client()
        self._away_until = 0.0
        self._why = ""
        self._refused = ""

    async def relay(
        self, method: str, target: bytes, headers: Headers, body: bytes
    ) -> httpx2.Response:
        """Pass a request on; the answer's body is still to be read.  Raises Away."""
        if self._refused:
            raise Away(self._refused, refused=True)
        if time.monotonic() < self._away_until:
            raise Away(self._why)
        request = self._request(method, target, headers, body)
        try:
            answer = await self._relaying.send(request, stream=True)
        except httpx2.TransportError as error:
            raise self._failed(error) from error
        self._answered(answer)
        return answer

    def ask(self, method: str, target: bytes, headers: Headers, body: bytes) -> httpx2.Response:
        """Ask for ourselves, whatever was the matter before; the answer is whole.

        Raises Away also where the centre does not admit this host.
        """
        try:
            answer = self._asking.send(self._request(method, target, headers, body))
        except httpx2.TransportError as error:
            raise self._failed(error) from error
        self._answered(answer)
        if self._refused:
            self._refused = _reason(answer) or self._refused
            raise Away(self._refused, refused=True)
        return answer

    def refresh(self) -> None:
        """Use a new certificate if there is one; what does not load leaves the old one in force."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        try:
            self._tls = self._context()
        except BadRequest as error:
            _log.warning("the client certificate does not load: %s", error)
            return
        self._stamp = stamp
        # The former ones end what they began; nobody closes them under it.
        self._relaying, self._asking = self._async_client(), self._sync_client()
        _log.info("the client certificate was read again")

    def _request(self, method: str, target: bytes, headers: Headers, body: bytes) -> httpx2.Request:
        url = self._base.copy_with(raw_path=target)
        return httpx2.Request(method, url, headers=headers, content=body)

    def _failed(self, error: httpx2.TransportError) -> Away:
        self._why = f"{self._centre.url}: {error or type(error).__name__}"
        if not isinstance(error, httpx2.PoolTimeout | httpx2.ReadTimeout):
            self._away_until = time.monotonic() + _PAUSE_S
        return Away(self._why)

    def _answered(self, answer: httpx2.Response) -> None:
        self._away_until = 0.0
        if answer.headers.get("chancery-gateway"):
            self._refused = ""
        elif not self._refused:
            # Passed on as anybody's, or not at all: until the centre knows us nothing more is.
            self._refused = _NOT_ADMITTED
            _log.error("the centre does not admit this host", extra={"status": answer.status_code})

    def _async_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self._tls, timeout=self._timeout(), limits=self._limits(), trust_env=False
        )

    def _sync_client(self) -> httpx2.Client:
        return httpx2.Client(verify=self._tls, timeout=self._timeout(), trust_env=False)

    def _timeout(self) -> httpx2.Timeout:
        connect = self._centre.connect_timeout.total_seconds()
        whole = self._centre.timeout.total_seconds()
        return httpx2.Timeout(whole, connect=connect, pool=whole)

    def _limits(self) -> httpx2.Limits:
        most = self._centre.connections
        return httpx2.Limits(
            max_connections=most, max_keepalive_connections=most, keepalive_expiry=10
        )

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._centre.ca_bundle)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self._centre.certificate, self._centre.key)
        except (OSError, ssl.SSLError) as error:
            raise BadRequest(
                f"the files of [centre] do not load: {error}",
                field="centre",
                rule="centre.tls",
                remedy="ca_bundle, certificate and key are PEM; the key is that of the certificate",
            ) from error
        return context

    def _stamps(self) -> list[tuple[int, int]]:
        paths = (self._centre.ca_bundle, self._centre.certificate, self._centre.key)
        return [_stamp(path) for path in paths]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)


def _reason(answer: httpx2.Response) -> str:
    """Why the centre does not admit us, in its words."""
    if "problem+json" not in answer.headers.get("content-type", ""):
        return ""
    found = answer.json()
    return str(found["detail"]) if str(found.get("rule", "")).startswith("gateway.") else ""


def unavailable(error: Away) -> Unavailable:
    """What people and programs are told; the words of *error* are for the log: they name hosts."""
    if error.refused:
        return Unavailable(
            "the central instance does not admit this registration authority at this moment",
            rule="gateway.admitted",
            remedy="its operators must see to it; /readyz and the log of this host say more",
        )
    return Unavailable(
        "the central instance does not answer at this moment",
        rule="gateway.centre",
        remedy="try again in a minute; requests for certificates are taken in meanwhile",
    )
