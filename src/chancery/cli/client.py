"""The REST API as a few verbs.  Everything a server can answer becomes a value or a CAError."""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlsplit

from chancery import __version__
from chancery.cli.failures import Refusal, Unexpected
from chancery.cli.reaching import reaching
from chancery.domain import errors

if TYPE_CHECKING:
    import ssl

    import httpx2

Json = dict[str, Any]

_BASE: Final = "/api/v1"
_PAGE: Final = 500  # items asked for at once when all are wanted
_MAX_TITLE: Final = 300  # characters of a foreign error page that are worth showing

STATUSES: Final[dict[int, type[errors.CAError]]] = {
    400: errors.BadRequest,
    401: errors.NotAuthenticated,
    403: errors.NotPermitted,
    404: errors.NotFound,
    405: Unexpected,
    409: errors.Conflict,
    410: errors.NotFound,
    412: errors.Conflict,
    413: errors.TooLarge,
    415: errors.BadRequest,
    422: errors.BadRequest,
    423: errors.LockedOut,
    429: errors.Unavailable,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


@dataclass(frozen=True, slots=True)
class Document:
    """A downloaded file, with the type and name the server gave it."""

    data: bytes
    media_type: str
    filename: str | None


class Client:
    """One server, one identity.  Path segments are quoted here: pass names as they are."""

    def __init__(
        self,
        url: str,
        tls: "ssl.SSLContext",
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        certificate: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        """*certificate* names the file of the client certificate in *tls*, for messages."""
        import httpx2  # noqa: PLC0415 - the help of a command must not wait for HTTP

        headers = {"User-Agent": f"chancery/{__version__}", "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._anonymous = token is None and basic is None
        self._certificate = certificate
        self._url = url
        self._http = httpx2.Client(
            base_url=url,
            verify=tls,
            headers=headers,
            auth=basic,
            timeout=timeout,
            # A proxy has no business between us and a server on this very machine.
            trust_env=not _loopback(url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, *path: str, **params: object) -> Any:
        return self.call("GET", path, params=params)

    def post(self, *path: str, body: object = None, **options: Any) -> Any:
        return self.call("POST", path, body=body, **options)

    def put(self, *path: str, body: object = None) -> Any:
        return self.call("PUT", path, body=body)

    def patch(self, *path: str, body: object) -> Any:
        return self.call("PATCH", path, body=body)

    def delete(self, *path: str) -> Any:
        return self.call("DELETE", path)

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON answer, or None where there is none (204)."""
        answer = self._send(method, path, params=params, body=body, headers=headers)
        return _json(answer) if answer.content else None

    def items(self, *path: str, limit: int | None, **params: object) -> Iterator[Json]:
        """Yield the items of a list page by page, following its cursor; all if *limit* is None."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self.get(*path, **params, cursor=cursor, limit=size)
            items, cursor = (page["items"], page.get("next")) if "items" in page else (page, None)
            yield from items if left is None else items[:left]
            if left is not None:
                left -= len(items)
            if cursor is None or not items:
                return

    def download(
        self,
        *path: str,
        headers: Mapping[str, str] | None = None,
        base: str = _BASE,
        **params: object,
    ) -> Document:
        accept = {"Accept": "*/*", **(headers or {})}
        answer = self._send("GET", path, params=params, headers=accept, base=base)
        kind = answer.headers.get("content-type", "application/octet-stream")
        disposition = Message()
        disposition["content-disposition"] = answer.headers.get("content-disposition", "")
        return Document(answer.content, kind.partition(";")[0], disposition.get_filename())

    def lines(self, *path: str, body: bytes, media_type: str) -> Iterator[Json]:
        """Send *body* and yield the objects of the NDJSON answer as they arrive."""
        with (
            reaching(self._url, self._certificate),
            self._http.stream(
                "POST",
                _path(path, _BASE),
                content=body,
                headers={"Content-Type": media_type, "Accept": "application/x-ndjson"},
            ) as answer,
        ):
            if not answer.is_success:
                answer.read()
            self._check(answer)
            for line in answer.iter_lines():
                if line.strip():
                    yield _parsed(line)

    def _send(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        base: str = _BASE,
    ) -> "httpx2.Response":
        query = {
            k: [_text(one) for one in v] if isinstance(v, list) else _text(v)
            for k, v in (params or {}).items()
            if v is not None
        }
        with reaching(self._url, self._certificate):
            answer = self._http.request(
                method, _path(path, base), params=query, json=body, headers=dict(headers or {})
            )
        self._check(answer)
        return answer

    def _check(self, answer: "httpx2.Response") -> None:
        """Raise what an unsuccessful *answer* stands for."""
        if answer.is_success:
            return
        problem = _problem(answer)
        kind = STATUSES.get(answer.status_code, Unexpected)
        remedy = problem.get("remedy")
        if kind is errors.NotAuthenticated and self._anonymous:
            remedy = "you sent no token: set --token-file or CHANCERY_TOKEN_FILE"
        if kind is errors.Unavailable and (wait := answer.headers.get("retry-after")):
            remedy = remedy or f"try again in {wait} seconds"
        raise kind(
            str(problem.get("detail") or problem.get("title") or f"HTTP {answer.status_code}"),
            field=_optional(problem.get("field")),
            rule=_optional(problem.get("rule")),
            remedy=_optional(remedy),
        ) from Refusal(answer.status_code, problem)


def _problem(answer: "httpx2.Response") -> dict[str, Any]:
    """Read an RFC 9457 problem; a page from something in between becomes one."""
    if "json" in answer.headers.get("content-type", ""):
        try:
            found = answer.json()
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
    page = answer.text.strip()[:_MAX_TITLE]
    return {
        "type": "about:blank",
        "title": answer.reason_phrase or "error",
        "status": answer.status_code,
        "detail": f"the server answered {answer.status_code} {answer.reason_phrase}"
        + (f": {page}" if page and "<" not in page else ""),
    }


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path(segments: tuple[str, ...], base: str) -> str:
    for segment in segments:
        if segment in {"", ".", ".."}:  # these change the path whatever their quoting
            raise errors.BadRequest(f"{segment!r} is not a name", rule="name.empty")
    return "/".join([base, *(quote(segment, safe="") for segment in segments)])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _optional(value: object) -> str | None:
    return None if value is None else str(value)


def _json(answer: "httpx2.Response") -> Any:
    return _parsed(answer.text)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unexpected(
            "the server's answer is not JSON", remedy="is this the address of a Chancery server?"
        ) from error
