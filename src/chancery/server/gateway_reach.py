"""What can be reached through the gateway of a registration authority.  All else cannot.

The services hold whoever comes that way to one registration authority
(``services.confinement``); this table keeps them from even being asked for
more: no credentials are set, no policy is read, nothing is done to many at
once, by way of a host that may stand in a DMZ.
"""

import re
from typing import Final

ROUTES: Final = """
GET /
POST /check
POST /submit
GET /server-key
POST /server-key
GET /status
POST /status
POST /status/forget
GET /requests/{id}
GET /requests/{id}/download/{form}
POST /requests/{id}/key
POST /requests/{id}/key/file
POST /requests/{id}/withdraw
POST /requests/{id}/revocation
GET /revoke
POST /revoke
GET /revoke/sign
POST /revoke/sign
GET /authorities
GET /authorities/bundle/{form}
GET /authorities/{name}/{form}
GET /help

GET /console
GET /console/sign-in
POST /console/sign-in
GET /console/sign-in/factor
POST /console/sign-in/factor
GET /console/sign-in/joint
POST /console/sign-in/joint
POST /console/sign-in/joint/cancel
POST /console/sign-out
GET /console/step-up
POST /console/step-up
GET /console/requests
GET /console/requests/new
POST /console/requests/new
GET /console/requests/{id}
GET /console/requests/{id}/findings
POST /console/requests/{id}/approve
POST /console/requests/{id}/deny
POST /console/requests/{id}/note
POST /console/requests/{id}/withdraw
POST /console/requests/{id}/delete
GET /console/requests/{id}/edit
POST /console/requests/{id}/edit
GET /console/requests/{id}/key
POST /console/requests/{id}/key
GET /console/certificates
GET /console/certificates/{authority}/{serial}
GET /console/certificates/{authority}/{serial}/download
GET /console/certificates/{authority}/{serial}/revoke
POST /console/certificates/{authority}/{serial}/revoke
POST /console/certificates/{authority}/{serial}/hold
POST /console/certificates/{authority}/{serial}/release
GET /console/certificates/{authority}/{serial}/renew
POST /console/certificates/{authority}/{serial}/renew
GET /console/revocations
GET /console/revocations/{id}
POST /console/revocations/{id}/accept
POST /console/revocations/{id}/refuse

GET /api/openapi.json
GET /api/docs
GET /api/v1/me
GET /api/v1/requests
POST /api/v1/requests
GET /api/v1/requests/queues
GET /api/v1/requests/{request_id}
PATCH /api/v1/requests/{request_id}
DELETE /api/v1/requests/{request_id}
GET /api/v1/requests/{request_id}/review
POST /api/v1/requests/{request_id}/approve
POST /api/v1/requests/{request_id}/deny
POST /api/v1/requests/{request_id}/withdraw
POST /api/v1/requests/{request_id}/notes
GET /api/v1/requests/{request_id}/download
GET /api/v1/certificates
GET /api/v1/certificates/{serial}
GET /api/v1/certificates/{serial}/download
GET /api/v1/certificates/{serial}/lint
GET /api/v1/certificates/{serial}/history
POST /api/v1/certificates/{serial}/revoke
POST /api/v1/certificates/{serial}/hold
POST /api/v1/certificates/{serial}/release
POST /api/v1/certificates/{serial}/renew
GET /api/v1/portal/profiles
GET /api/v1/portal/profiles/{name}/recipe
POST /api/v1/portal/check
GET /api/v1/portal/requests
GET /api/v1/portal/authorities
GET /api/v1/portal/bundle
POST /api/v1/revocations/challenge
POST /api/v1/revocations/proof
POST /api/v1/revocations/requests/{request_id}
GET /api/v1/revocations
GET /api/v1/revocations/{wish_id}
POST /api/v1/revocations/{wish_id}/accept
POST /api/v1/revocations/{wish_id}/refuse
"""
"""Methods and path templates, as in the tables of pages and routes."""

OPEN: Final = """
GET /static/{digest}/{name:path}
GET /healthz
GET /ca/{file}
GET /crl/{file}
POST /ocsp/{ca}
GET /ocsp/{ca}/{request:path}
"""
"""What everybody gets anyway, and no table holds."""

_NEVER: Final = frozenset({"/console/requests/decide", "/api/v1/requests/bulk"})
"""What a template above would let in."""


def _pattern(template: str) -> str:
    parts = re.split(r"(\{[^}]+\})", template)
    return "".join(
        (".+" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part)
        for part in parts
    )


def _compiled() -> dict[str, re.Pattern[str]]:
    lines = [line.split(" ", 1) for line in (ROUTES + OPEN).splitlines() if line]
    methods = sorted({method for method, _ in lines})
    return {
        method: re.compile("|".join(_pattern(path) for verb, path in lines if verb == method))
        for method in methods
    }


_BY_METHOD: Final = _compiled()


def reaches(method: str, path: str) -> bool:
    """Whether a gateway may pass that request on."""
    pattern = _BY_METHOD.get("GET" if method == "HEAD" else method)
    return pattern is not None and path not in _NEVER and pattern.fullmatch(path) is not None
