"""Whom a client believes: whoever signed below its trust anchors."""

from collections.abc import Iterator, Sequence
from typing import Final

from chancery.wire import der
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.cmp import Header

_DEPTH: Final = 8


def anchored(
    one: CaCertificate,
    found: Sequence[CaCertificate],
    anchors: Sequence[CaCertificate],
    now: int,
) -> bool:
    """Whether a chain of valid certificates leads from *one* to an anchor."""
    for _ in range(_DEPTH):
        if not one.not_before <= now <= one.not_after:
            return False
        if any(one.der == anchor.der or one.signed_by(anchor) for anchor in anchors):
            return True
        issuers = (c for c in found if c.is_ca and c.der != one.der and one.signed_by(c))
        above = next(issuers, None)
        if above is None:
            return False
        one = above
    return False


def says_so(own: CaCertificate) -> bool:
    """Whether its subjectKeyIdentifier stands in the certificate."""
    return der.octet_string(own.key_identifier) in own.tbs


def signers(header: Header, found: Sequence[CaCertificate]) -> Iterator[CaCertificate]:
    """Those that may have signed: by the identifier of the key, else by the name."""
    if header.sender_key is not None:
        return (one for one in found if one.key_identifier == header.sender_key)
    return (one for one in found if header.sender == der.explicit(4, one.subject_der))
