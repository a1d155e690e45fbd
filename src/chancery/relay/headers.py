"""Which header fields go through a relay, either way (RFC 9110 §7.6.1)."""

from typing import Final

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_PASSED_ON: Final = frozenset(
    {
        b"content-length",  # the body is sent whole, with a length of our own
        b"expect",
        b"chancery-relayed-for",  # ours alone to say
        b"chancery-receipt",
        b"chancery-queued",
    }
)


def inward(scope: Scope) -> Headers:
    """What the centre gets of a client's fields, and the client's address."""
    listed = _listed(scope["headers"])
    client = scope.get("client")
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in _HOP and name not in _NOT_PASSED_ON and name not in listed
    ]
    return [*kept, (b"chancery-relayed-for", (client[0] if client else "").encode())]


def outward(headers: Headers) -> Headers:
    """What the client gets of the centre's fields."""
    lower = [(name.lower(), value) for name, value in headers]
    listed = _listed(lower)
    return [(name, value) for name, value in lower if name not in _HOP and name not in listed]


def field(headers: Headers, wanted: bytes) -> str | None:
    """The first field of that name."""
    return next((value.decode("latin-1") for name, value in headers if name == wanted), None)


def _listed(headers: Headers) -> set[bytes]:
    """Fields that the Connection field names as meant for one hop."""
    return {
        word.strip().lower()
        for name, value in headers
        if name == b"connection"
        for word in value.split(b",")
    } - {b"host"}
