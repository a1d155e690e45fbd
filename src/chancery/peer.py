"""Who is at the other end of a request, as ASGI tells it; nothing that a client merely claims."""

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from typing import Any


def origin_of(scope: Mapping[str, Any]) -> str:
    """Return the peer's network address."""
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
