"""What a responder's key and certificate are, and how the certificate stands on record."""

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import LEVELS, Authority
from chancery.domain.names import ATTRIBUTES, Attribute, DistinguishedName
from chancery.services.issuers import CaKey

PROFILE = "ocsp-signer"
REQUEST_PREFIX = "ocsp:"
"""``request_id`` of responder certificates: no request was made for them."""


def algorithm_for(authority: Authority) -> KeyAlgorithm:
    """Like the CA's own, but RSA no larger than its level demands: a responder signs all day."""
    if authority.key_algorithm.startswith("rsa-"):
        return KeyAlgorithm(f"rsa-{LEVELS[authority.security_level].min_rsa_bits}")
    return authority.key_algorithm


def subject_for(authority: Authority, key: CaKey) -> DistinguishedName:
    """The CA's name with a CN that says what this is."""
    oid, syntax, longest = ATTRIBUTES["CN"]
    common_name = Attribute(oid, f"{key.label} OCSP responder"[-longest:], syntax)
    others = tuple(
        rdn for rdn in authority.subject.rdns if all(attribute.oid != oid for attribute in rdn)
    )
    return DistinguishedName((*others, (common_name,)))
