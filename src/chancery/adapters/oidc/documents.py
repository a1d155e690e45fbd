"""What a provider publishes about itself: metadata and keys, fetched over HTTPS and kept."""

import json
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from chancery.adapters.oidc.plan import ProviderPlan
from chancery.domain.errors import BadRequest

MAX_ANSWER: Final = 1024 * 1024  # octets
_FRESH_S: Final = 3600
_STALE_S: Final = 24 * 3600  # how long what was fetched is used while the provider is away
_UNKNOWN_KEY_S: Final = 60  # how often an unknown key may send us to fetch again
_PAUSE_S: Final = 5
_AT_ONCE: Final = 8  # a slow provider holds no more threads than this
_REQUIRED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ENDPOINTS: Final = (*_REQUIRED, "userinfo_endpoint", "end_session_endpoint")


class Away(Exception):
    """The provider did not serve: why, for the operator."""


class Documents:
    """Safe for concurrent use; one thread fetches, the others wait for it."""

    def __init__(self, plan: ProviderPlan, *, unknown_key_s: float = _UNKNOWN_KEY_S) -> None:
        self._plan = plan
        self._unknown_key_s = unknown_key_s
        try:
            context = ssl.create_default_context(cadata=plan.ca)
        except ssl.SSLError as error:
            raise BadRequest(
                "the CA file of the provider holds no certificate in PEM", field="ca_file"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context = context
        self._lock = threading.RLock()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._away_until = 0.0
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def metadata(self) -> dict[str, Any]:
        """OpenID Provider Metadata (Discovery 1.0 §3) of the very issuer; Away if there is none."""
        with self._lock:
            if self._metadata is not None and time.monotonic() - self._metadata[0] < _FRESH_S:
                return self._metadata[1]
            try:
                found = self._checked(self.get(_well_known(self._plan.issuer)))
            except Away:
                if self._metadata is None or time.monotonic() - self._metadata[0] > _STALE_S:
                    raise
                return self._metadata[1]
            self._metadata = (time.monotonic(), found)
            return found

    def key(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that signs so; fetched again if it is unknown, but not too often."""
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > _FRESH_S:
                self._fetch_keys()
            found = self._find(kid, algorithm)
            if found is None and self._keys is not None:
                if time.monotonic() - self._keys[0] < self._unknown_key_s:
                    return None
                self._fetch_keys()
                found = self._find(kid, algorithm)
            return found

    def get(self, url: str, **headers: str) -> dict[str, Any]:
        """The JSON object at *url*."""
        return self.ask("GET", url, headers=headers)[1]

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset({200}),
    ) -> tuple[int, dict[str, Any]]:
        """Ask, and return status and JSON object; Away for any other status or answer.

        After a time-out nobody waits for the provider again for a few seconds.
        """
        if time.monotonic() < self._away_until:
            raise Away("it did not answer a moment ago")
        if not self._slots.acquire(timeout=self._plan.timeout_s):
            raise Away("too many sign-ins wait for it")
        try:
            status, body = self._asked(method, url, headers, form)
        finally:
            self._slots.release()
        if status not in accept:
            raise Away(f"{url} answers {status}")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Away(f"{url} answers something that is not JSON") from error
        if not isinstance(document, dict):
            raise Away(f"{url} answers JSON that is no object")
        return status, document

    def _asked(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> tuple[int, bytes]:
        try:
            with (
                self._client() as client,
                client.stream(method, url, headers=headers, data=form) as answer,
            ):
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise Away(f"{url} answers more than {MAX_ANSWER} octets")
                return answer.status_code, body
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            self._away_until = time.monotonic() + _PAUSE_S
            raise Away(f"{url}: {error or type(error).__name__}") from error

    def _client(self) -> httpx2.Client:
        """One for each question: sign-ins are rare, and a connection kept for later may be dead."""
        return httpx2.Client(
            verify=self._context,
            timeout=self._plan.timeout_s,
            follow_redirects=False,
            trust_env=False,  # no .netrc, no proxy that the settings do not name
            proxy=self._plan.proxy,
            headers={"Accept": "application/json"},
        )

    def _checked(self, document: dict[str, Any]) -> dict[str, Any]:
        issuer = document.get("issuer")
        if issuer != self._plan.issuer:
            raise Away(f"says it is {str(issuer)[:200]!r}, not {self._plan.issuer!r}")
        for name in _ENDPOINTS:
            url = document.get(name)
            if url is None and name not in _REQUIRED:
                continue
            if not isinstance(url, str) or urlsplit(url).scheme != "https":
                raise Away(f"its {name} is no https URL")
        return document

    def _fetch_keys(self) -> None:
        document = self.get(self.metadata()["jwks_uri"])
        try:
            keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Away("publishes no keys that can be read") from error
        self._keys = (time.monotonic(), keys)

    def _find(self, kid: str | None, algorithm: str) -> Key | None:
        assert self._keys is not None
        try:
            return self._keys[1].get_by_kid(kid, {"alg": algorithm, "use": "sig"})
        except (JoseError, ValueError):
            return None


def _well_known(issuer: str) -> str:
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"
