"""What a CRL says of its own scope: issuingDistributionPoint (RFC 5280 §5.2.5)."""

from chancery.domain.authority import Authority, CrlIdp
from chancery.services.issuers import CaKey
from chancery.wire.crl import Crl, Scope
from chancery.wire.tbs import fill


def urls_of(authority: Authority, key: CaKey, http: str) -> tuple[str, ...]:
    """Where the CRLs of this key are found, as its authority says.  *http*: our base URL."""
    return tuple(fill(authority.crl_urls, http=http, ca=key.label))


def scope_of(authority: Authority, key: CaKey, http: str) -> Scope | None:
    """What the next CRL of this key is to say; None: nothing, which means every certificate."""
    if authority.crl_idp is CrlIdp.NONE:
        return None
    return Scope(urls_of(authority, key, http))


def is_for(decoded: Crl, authority: Authority, key: CaKey, http: str) -> bool:
    """Whether a CRL from elsewhere is the one that relying parties look for here.

    One that names no place is for every place.
    """
    places = () if decoded.scope is None else decoded.scope.distribution_point
    return not places or not set(places).isdisjoint(urls_of(authority, key, http))
