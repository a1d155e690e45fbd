"""From a request's header fields and TLS session to a principal.

One credential counts: an Authorization field before the cookie of a session,
that before a client certificate, a client certificate before nothing.  A
credential that does not hold is refused even where none is needed, so that a
typing error is not taken for anonymity; but a session that is over is none.
"""

import asyncio
import base64
import binascii
import functools
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from starlette.types import Scope

from chancery import peer
from chancery.domain.errors import BadRequest, NotAuthenticated, NotPermitted, Unavailable
from chancery.domain.identity import AuthMethod, Principal, anonymous, confined
from chancery.services.identity import IdentityService
from chancery.services.identity.sessions import COOKIE

P = ParamSpec("P")
T = TypeVar("T")

_MAX_CREDENTIAL = 8 * 1024  # octets of the Authorization field; a password has 1024 characters

_AMBIENT = frozenset({AuthMethod.CERTIFICATE, AuthMethod.PASSWORD})
"""What a browser sends along by itself, whoever made it send the request."""
CODE_FIELD = b"chancery-code"
"""Header field beside a password: a code of the second factor."""
CSRF_FIELD = b"x-csrf-token"
"""Header field beside the cookie of a session: its secret, where something is changed."""
_COOKIE = COOKIE.encode() + b"="
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1: they change nothing
_PASSWORD_THREADS = 4
_MAX_WAITING = 64  # logins; at about 30 ms each for two at once, the last waits a second


class Authenticator:
    """Asks the identity service who is there.  Only what cannot be known at once waits."""

    def __init__(self, identity: IdentityService) -> None:
        self._identity = identity
        # Passwords wait in a queue of their own: a flood of them costs nobody else a thread.
        self._passwords = ThreadPoolExecutor(_PASSWORD_THREADS, "password")
        self._waiting = 0

    def at_once(self, scope: Scope, authorization: bytes | None) -> Principal | None:
        """Return the principal if that takes no I/O: no credential, or a token seen just now."""
        if authorization is None:
            ambient = peer.client_chain(scope) or session_cookie(scope)
            return None if ambient else anonymous(peer.origin_of(scope))
        if authorization[:7].lower() != b"bearer ":
            return None
        return self._identity.known_token(
            authorization[7:].decode("latin-1"), peer.origin_of(scope)
        )

    async def principal(self, scope: Scope) -> Principal:
        """Return the principal of a request; raise NotAuthenticated, LockedOut or BadRequest."""
        authorization = authorization_of(scope)
        known = self.at_once(scope, authorization)
        if known is not None:
            return confined(known, peer.ra_of(scope))
        proven = confined(await self._waited_for(scope, authorization), peer.ra_of(scope))
        if proven.method in _AMBIENT and scope["method"] not in _SAFE:
            refuse_cross_site(scope)
        return proven

    async def _waited_for(self, scope: Scope, authorization: bytes | None) -> Principal:
        if authorization is None or authorization[:6].lower() != b"basic ":
            return await asyncio.to_thread(self._prove, scope, authorization)
        return await self.queued(self._prove, scope, authorization)

    async def queued(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Run what hashes a password; Unavailable if too much of that waits already."""
        if self._waiting >= _MAX_WAITING:
            raise Unavailable(
                "too many logins at this moment",
                field="authorization",
                rule="password.queue",
                remedy="try again in a few seconds, or use an API token",
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._passwords, functools.partial(work, *args, **options)
            )
        finally:
            self._waiting -= 1

    def _prove(self, scope: Scope, authorization: bytes | None) -> Principal:
        origin = peer.origin_of(scope)
        if authorization is None:
            if (session := self._session(scope, origin)) is not None:
                return session
            leaf = peer.client_certificate(scope)
            if leaf is None:
                return anonymous(origin)
            return self._identity.authenticate_certificate(leaf, origin)
        scheme, _, credential = authorization.partition(b" ")
        match scheme.lower():
            case b"bearer":
                return self._identity.authenticate_token(credential.decode("latin-1"), origin)
            case b"basic":
                name, password = _basic(credential)
                code = _field(scope, CODE_FIELD).decode("latin-1")
                return self._identity.authenticate_password(name, password, origin, code)
            case _:
                raise NotAuthenticated(
                    "this authentication scheme is not known here",
                    field="authorization",
                    rule="authorization.scheme",
                    remedy="use Bearer with an API token, or Basic with name and password",
                )

    def _session(self, scope: Scope, origin: str) -> Principal | None:
        """The principal of a browser's session; None where there is none any more."""
        cookie = session_cookie(scope)
        resumed = self._identity.sessions.resume(cookie, origin) if cookie else None
        if resumed is None:
            return None
        if scope["method"] not in _SAFE:
            refuse_cross_site(scope)
            if not hmac.compare_digest(_field(scope, CSRF_FIELD), resumed.session.csrf.encode()):
                raise NotPermitted(
                    "the session's secret is missing or wrong",
                    field="x-csrf-token",
                    rule="request.csrf",
                    remedy="send csrf of GET /api/v1/session in the field X-CSRF-Token",
                )
        return resumed.principal


def session_cookie(scope: Scope) -> str:
    """Return the cookie of a browser's session, "" where there is none; the first one counts."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value[:_MAX_CREDENTIAL].split(b";"):
                if part.strip().startswith(_COOKIE):
                    found: str = part.strip()[len(_COOKIE) :].decode("latin-1")
                    return found
    return ""


def _field(scope: Scope, wanted: bytes) -> bytes:
    """The header field of that name, b"" where there is none."""
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return b""


def authorization_of(scope: Scope) -> bytes | None:
    """Return the one Authorization field, if any."""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if found is not None or len(value) > _MAX_CREDENTIAL:
                raise BadRequest(
                    "one Authorization field of at most 8 KiB, please",
                    field="authorization",
                    rule="authorization.single",
                )
            found = value
    return found


def refuse_cross_site(scope: Scope) -> None:
    """Raise NotPermitted if a browser sent this on behalf of another site (CSRF)."""
    if peer.sent_by_another_site(scope):
        raise NotPermitted(
            "another site made your browser send this",
            field="origin",
            rule="request.cross-site",
            remedy="use an API token for requests from other sites",
        )


def _basic(credential: bytes) -> tuple[str, str]:
    """Split RFC 7617 credentials, UTF-8."""
    try:
        name, colon, password = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise NotAuthenticated(
            "the Basic credentials do not parse", field="authorization", rule="authorization.basic"
        )
    return name, password
