"""Who signs answers for a CA key."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.algorithms import (
    SIGNATURES_OF,
    KeyAlgorithm,
    SignatureAlgorithm,
    key_family,
)
from chancery.domain.authority import Authority
from chancery.services.issuers import CaKey
from chancery.wire import ocsp
from chancery.wire.algorithms import load_key
from chancery.wire.ca_certificate import CaCertificate


@dataclass(frozen=True, slots=True)
class SigningResponder:
    """A responder ready to answer."""

    key_id: str
    algorithm: SignatureAlgorithm
    certificate: CaCertificate
    wire: ocsp.Responder


@dataclass(frozen=True, slots=True)
class ResponderStanding:
    """Who answers for one key, in words for people.  Unix seconds; None: nobody yet."""

    authority: str
    label: str
    subject: str | None = None
    serial: str | None = None
    algorithm: str | None = None
    not_before: int | None = None
    not_after: int | None = None
    renewed_at: int | None = None

    @classmethod
    def of(cls, key: CaKey, authority: str, found: SigningResponder | None) -> "ResponderStanding":
        if found is None:
            return cls(authority, key.label)
        certificate = found.certificate
        return cls(
            authority,
            key.label,
            certificate.subject.text,
            certificate.serial,
            found.algorithm.value,
            certificate.not_before,
            certificate.not_after,
            renewal_of(certificate),
        )


def renewal_of(certificate: CaCertificate) -> int:
    """When a responder's certificate is renewed: at half its life."""
    return (certificate.not_before + certificate.not_after) // 2


class ResponderSource(Protocol):
    """Finds the responder for a CA key.  Safe for concurrent use."""

    def responder(self, authority: Authority, key: CaKey) -> SigningResponder:
        """Raise a CAError where there is none."""
        ...

    def at_hand(self, key: CaKey) -> SigningResponder | None:
        """The same if it is ready and need not be renewed; never waits."""
        ...


def signing_responder(
    key_id: str, decoded: CaCertificate, authority: Authority
) -> SigningResponder:
    """A responder with that certificate; it signs as its authority does, if its key can."""
    possible = SIGNATURES_OF[KeyAlgorithm(key_family(load_key(decoded.spki)))]
    wanted = authority.signature_algorithm
    algorithm = wanted if wanted in possible else possible[0]
    by_key = hashlib.sha1(decoded.key_bits, usedforsecurity=False).digest()
    wire = ocsp.responder(decoded.der, algorithm, by_key=by_key)
    return SigningResponder(key_id, algorithm, decoded, wire)
