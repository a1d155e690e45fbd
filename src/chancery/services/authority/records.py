"""How CA certificates stand on record: as certificates, and as certificates of authorities."""

import hashlib
from dataclasses import replace

from chancery.domain.algorithms import (
    SIGNATURES_OF,
    KeyAlgorithm,
    SignatureAlgorithm,
    key_family,
)
from chancery.domain.authority import (
    Authority,
    AuthorityCertificate,
    AuthorityCertificateKind,
    AuthorityState,
)
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.errors import BadKey
from chancery.domain.names import DistinguishedName
from chancery.ports import Session
from chancery.services.authority.templates import ROOT_PROFILE, SUBORDINATE_PROFILE
from chancery.services.issuers import decode, find
from chancery.wire import ca_certificate
from chancery.wire.algorithms import load_key
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.names import decode_name

REQUEST_PREFIX = "ca:"
"""``request_id`` of CA certificates reads ``ca:KIND:AUTHORITY:KEY``; the last two may be empty."""


def install(
    session: Session,
    name: str,
    kind: AuthorityCertificateKind,
    key_id: str,
    decoded: CaCertificate,
    chain: tuple[bytes, ...],
    now: int,
) -> None:
    """Give an authority a certificate; unless it is a cross-certificate, it is the current one now.

    One of ours that begins later is not: it is coming (``services.authority.rollover``).

    Chains of the authorities below, which show the former certificate of the
    same key, show the new one from now on.
    """
    authority = find(session, name)
    made = AuthorityCertificate(
        authority=name,
        kind=kind,
        key_id=key_id or None,
        serial=decoded.serial,
        issuer=decoded.issuer.text,
        der=decoded.der,
        not_before=decoded.not_before,
        not_after=decoded.not_after,
        created_at=now,
        current=False,
    )
    current = kind is not AuthorityCertificateKind.CROSS and not made.coming
    session.authorities.add_certificate(replace(made, current=current))
    if not current:
        return
    algorithm = key_algorithm_of(decoded)
    waiting = authority.state is AuthorityState.AWAITING_CERTIFICATE
    session.authorities.update(
        replace(
            authority,
            certificate=decoded.der,
            chain=chain,
            key_id=key_id or None,
            key_algorithm=algorithm,
            signature_algorithm=_signature_with(authority, algorithm),
            csr=None,
            state=AuthorityState.ACTIVE if waiting else authority.state,
        )
    )
    for other in session.authorities.all():
        for depth, der in enumerate(other.chain):
            above = decode(der)
            if (above.spki, above.subject_der) == (decoded.spki, decoded.subject_der):
                new = (*other.chain[:depth], decoded.der, *chain)
                session.authorities.update(replace(other, chain=new))
                break


def key_algorithm_of(decoded: CaCertificate) -> KeyAlgorithm:
    """The kind of a CA's key; BadKey if we do not work with such keys."""
    family = key_family(load_key(decoded.spki))
    try:
        return KeyAlgorithm(family)
    except ValueError:
        raise BadKey(
            f"a CA with a {family} key is not supported",
            field="certificate",
            rule="key.algorithm",
            remedy="one of: " + ", ".join(KeyAlgorithm),
        ) from None


def _signature_with(authority: Authority, key: KeyAlgorithm) -> SignatureAlgorithm:
    """The authority's own way to sign, if a key of this kind can."""
    possible = SIGNATURES_OF[key]
    wanted = authority.signature_algorithm
    return wanted if wanted in possible else possible[0]


def parts(intent: Intent) -> tuple[AuthorityCertificateKind, str, str]:
    kind, name, key_id = intent.request_id.removeprefix(REQUEST_PREFIX).split(":")
    return AuthorityCertificateKind(kind), name, key_id


def profile_of(intent: Intent) -> str:
    """The name of the template that its content was made from."""
    root = parts(intent)[0] is AuthorityCertificateKind.SELF_SIGNED
    return ROOT_PROFILE if root else SUBORDINATE_PROFILE


def algorithm_in(intent: Intent) -> SignatureAlgorithm:
    """How the TBSCertificate says it is signed."""
    return ca_certificate.fields(intent.tbs)[0]


def subject_of(intent: Intent) -> DistinguishedName:
    return decode_name(ca_certificate.fields(intent.tbs)[2])


def record_of(
    intent: Intent, decoded: CaCertificate, *, requester: str, issued_at: int
) -> CertificateRecord:
    return CertificateRecord(
        id=intent.id,
        authority=intent.authority,
        serial=decoded.serial,
        subject=decoded.subject.text,
        names=(),
        not_before=decoded.not_before,
        not_after=decoded.not_after,
        key_sha256=hashlib.sha256(decoded.spki).hexdigest(),
        sha256=decoded.sha256,
        profile=profile_of(intent),
        profile_sha256=intent.profile_sha256,
        request_id=intent.request_id,
        requester=requester,
        der=decoded.der,
        issued_at=issued_at,
    )
