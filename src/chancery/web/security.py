"""Header fields around every answer, and the token that proves a form is ours."""

import hmac
from typing import Final

from starlette.responses import Response

from chancery.domain.errors import NotPermitted
from chancery.web import cookies
from chancery.web.visit import Visit

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # to ourselves alone: where a refused form came from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self),"
    " camera=(), geolocation=(), microphone=()",
    "strict-transport-security": "max-age=31536000",  # RFC 6797 §6.1; one year
}
TOKEN_FIELD: Final = "csrf"  # noqa: S105 - a field's name
TOKEN_HEADER: Final = "x-csrf-token"  # noqa: S105


def secured(response: Response) -> Response:
    """Add what every answer carries.  Nothing is stored by a browser unless it says so itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("cache-control", "no-store")
    return response


def check_token(visit: Visit) -> None:
    """Raise NotPermitted unless the form carries the token of this visitor.

    For a session the token is its secret; without one it is a cookie that
    only we can set, sent twice.
    """
    given = visit.form.raw(TOKEN_FIELD) or visit.headers.get(TOKEN_HEADER, "")
    expected = visit.session.csrf if visit.session else visit.cookie(cookies.FORM)
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise NotPermitted(
            "this form is not from your present session",
            field=TOKEN_FIELD,
            rule="request.csrf",
            remedy="load the page again and repeat it: you may have signed in or out meanwhile",
        )
