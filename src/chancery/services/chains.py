"""Which certificates stand above one that an authority issued."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from chancery.domain.authority import AuthorityCertificate, AuthorityCertificateKind
from chancery.ports import Session
from chancery.services.issuers import decode

_LONGEST: Final = 10
"""Certificates in a chain; a tree that deep is a mistake, or a ring."""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One certificate above; *authority* is its CA's name, None where it is none of ours."""

    authority: str | None
    der: bytes


def chain_of(session: Session, authority: str, der: bytes) -> tuple[ChainLink, ...]:
    """The certificates above *der*, which *authority* issued, nearest first.

    A CA that took a new key since has two certificates: the one whose key
    signed is found by the authority key identifier (RFC 5280 §4.2.1.1).
    """
    found: list[ChainLink] = []
    name: str | None = authority if der else None  # one that only a list tells of has no chain
    while name is not None and len(found) < _LONGEST:
        ours = session.authorities.get(name)
        above = _issuer(session.authorities.certificates(name), der)
        if ours is None or above is None or above.der == der:
            break
        found.append(ChainLink(name, above.der))
        if decode(above.der).self_issued:
            break
        if ours.parent is None and above.der == ours.certificate:
            found += [ChainLink(None, one) for one in ours.chain]
        name, der = ours.parent, above.der
    return tuple(found)


def _issuer(candidates: Sequence[AuthorityCertificate], der: bytes) -> AuthorityCertificate | None:
    """The newest certificate of the key that signed *der*; the current one where that is open."""
    own = [one for one in candidates if one.kind is not AuthorityCertificateKind.CROSS]
    own.sort(key=lambda one: (one.current, one.created_at), reverse=True)
    wanted = _authority_key(der)
    for one in own:
        if wanted is None or decode(one.der).key_identifier == wanted:
            return one
    return None


def _authority_key(der: bytes) -> bytes | None:
    extensions = x509.load_der_x509_certificate(der).extensions
    try:
        return extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None
