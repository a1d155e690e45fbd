"""Who is at the other end of a request, as ASGI tells it; nothing that a client merely claims.

A request that came through the gateway of a registration authority says so in
``scope["chancery.gateway"]``: put there by ``server.gateways`` alone, after the
gateway has shown its certificate.
"""

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chancery.domain.gateway import Receipt


@dataclass(frozen=True, slots=True)
class Relayed:
    """By which gateway a request came, for which registration authority, and from where.

    *receipt* comes with a submission alone.
    """

    gateway: str
    ra: str
    address: str
    receipt: Receipt | None = None


def relayed(scope: Mapping[str, Any]) -> Relayed | None:
    """Return how a request was relayed; None where its sender is at the other end."""
    return scope.get("chancery.gateway")


def ra_of(scope: Mapping[str, Any]) -> str:
    """Return the one registration authority a request is confined to, "" where to none."""
    found = relayed(scope)
    return found.ra if found is not None else ""


def origin_of(scope: Mapping[str, Any]) -> str:
    """Return the peer's network address, and the gateway that relayed it."""
    if (found := relayed(scope)) is not None:
        return f"{found.address} via {found.gateway}"
    client = scope.get("client")
    return client[0] if client else ""


def client_chain(scope: Mapping[str, Any]) -> Sequence[str]:
    """Return the client's verified chain as PEM, leaf first (ASGI extension "tls")."""
    chain: Sequence[str] = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return chain


def client_certificate(scope: Mapping[str, Any]) -> str | None:
    """Return the hex SHA-256 of the verified leaf that the TLS listener reports."""
    for pem in client_chain(scope):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    return None


def tls_unique(scope: Mapping[str, Any]) -> bytes | None:
    """Return the channel binding ``tls-unique`` of this connection (RFC 5929 §3).

    None in TLS 1.3, on the plain listener, and where a gateway ended the TLS.
    """
    if relayed(scope) is not None:
        return None
    found: bytes | None = scope.get("extensions", {}).get("tls", {}).get("chancery.tls_unique")
    return found


def sent_by_another_site(scope: Mapping[str, Any]) -> bool:
    """Say whether a browser sent this on behalf of another site.

    Programs send neither field; a browser sends at least one with every
    request that can change something, and no page can forge them.
    """
    fields = dict(scope["headers"])
    site, origin = fields.get(b"sec-fetch-site"), fields.get(b"origin")
    if site is not None and site not in (b"same-origin", b"none"):
        return True
    return origin is not None and origin.partition(b"://")[2] != fields.get(b"host")
