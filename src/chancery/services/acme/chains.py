"""The chains that a client may choose from (RFC 8555 §7.4.2)."""

from collections.abc import Iterator

from chancery.domain.authority import AuthorityCertificateKind
from chancery.domain.certificate import CertificateRecord
from chancery.ports import Session
from chancery.services.chains import ChainLink, chain_of
from chancery.services.issuers import decode

_MOST = 8


def chains(session: Session, record: CertificateRecord, now: int) -> list[tuple[bytes, ...]]:
    """DER certificates above the leaf, issuer first, roots left out; the usual chain first.

    The others lead through the cross-certificates of the CAs in it.
    """
    usual = chain_of(session, record.authority, record.der)
    found = [_without_root(tuple(link.der for link in usual))]
    for at, link in enumerate(usual):
        below = tuple(one.der for one in usual[:at])
        for cross in _crossed(session, link, now):
            chain = (*below, cross, *_above(session, cross))
            if (shown := _without_root(chain)) not in found and len(found) < _MOST:
                found.append(shown)
    return found


def _crossed(session: Session, link: ChainLink, now: int) -> Iterator[bytes]:
    """Other certificates of the same CA key that others have signed."""
    if link.authority is None:
        return
    key = decode(link.der).spki
    for one in session.authorities.certificates(link.authority):
        live = one.kind is AuthorityCertificateKind.CROSS and one.not_after > now
        if live and decode(one.der).spki == key:
            yield one.der


def _above(session: Session, der: bytes) -> tuple[bytes, ...]:
    issuer = decode(der).issuer_der
    for authority in session.authorities.all():
        own = authority.certificate
        if own is not None and decode(own).subject_der == issuer:
            return tuple(link.der for link in chain_of(session, authority.name, der))
    return ()


def _without_root(chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return chain[:-1] if chain and decode(chain[-1]).self_issued else chain
