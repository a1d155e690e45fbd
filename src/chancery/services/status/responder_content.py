"""What a responder's key and certificate are, and how the certificate stands on record."""

import hashlib

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import LEVELS, Authority
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.identity import SYSTEM
from chancery.domain.names import ATTRIBUTES, Attribute, DistinguishedName
from chancery.services.issuers import CaKey, decode

PROFILE = "ocsp-signer"
REQUEST_PREFIX = "ocsp:"
"""``request_id`` of responder certificates: no request was made for them."""


def responder_record(intent: Intent, der: bytes) -> CertificateRecord:
    """The row for a responder certificate just signed."""
    decoded = decode(der)
    return CertificateRecord(
        id=intent.id,
        authority=intent.authority,
        serial=intent.serial,
        subject=decoded.subject.text,
        names=(),
        not_before=decoded.not_before,
        not_after=decoded.not_after,
        key_sha256=hashlib.sha256(decoded.spki).hexdigest(),
        sha256=decoded.sha256,
        profile=PROFILE,
        profile_sha256=intent.profile_sha256,
        request_id=intent.request_id,
        requester=SYSTEM.name,
        der=der,
        issued_at=intent.created_at,
    )


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
