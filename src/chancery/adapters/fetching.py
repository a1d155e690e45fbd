"""Files as anybody on the network gets them, over HTTP."""

import urllib.error
import urllib.request
from typing import Final

from chancery.domain.errors import Unavailable
from chancery.ports_crl import Fetched

_MOST: Final = 256 * 1024 * 1024
_AWAY: Final = "publication.away"


class HttpFetcher:
    """``ports_crl.Fetch``: straight, without any proxy of the environment."""

    def __init__(self, timeout_s: float = 20.0) -> None:
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, url: str, tag: str | None) -> Fetched | None:
        headers = {"If-None-Match": tag} if tag else {}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the caller's http URLs
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                data = answer.read(_MOST + 1)
                found = answer.headers.get("ETag")
        except urllib.error.HTTPError as error:
            if error.code == 304:
                return None
            raise Unavailable(f"it answers {error.code}", field="url", rule=_AWAY) from error
        except (OSError, ValueError) as error:
            raise Unavailable(f"it does not answer: {error}", field="url", rule=_AWAY) from error
        if len(data) > _MOST:
            raise Unavailable(f"more than {_MOST} octets", field="url", rule=_AWAY)
        return Fetched(data, found)
