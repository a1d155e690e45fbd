"""Whose indirect CRLs list what an authority issues: where a cRLIssuer points to."""

from collections.abc import Iterable

from chancery.domain.authority import Authority
from chancery.domain.crl import INDIRECT
from chancery.ports import Session
from chancery.services.issuers import current_key
from chancery.services.status.crl_scope import urls_of

Listed = tuple[tuple[tuple[str, ...], bytes], ...]
"""(URLs, DER Name of the CRL's issuer), each."""


def listing(authorities: Iterable[Authority], name: str) -> tuple[Authority, ...]:
    """The authorities that have a certificate and list those of *name* too, in their order."""
    return tuple(
        one for one in authorities if name in one.crl_indirect and one.certificate is not None
    )


def listed_by(session: Session, listing_ones: Iterable[Authority], http: str) -> Listed:
    """Where their indirect CRLs are, and who issues these."""
    found = []
    for one in listing_ones:
        key = current_key(one, session.authorities.certificates(one.name))
        found.append((urls_of(one, key, http, INDIRECT), key.certificate.subject_der))
    return tuple(found)
