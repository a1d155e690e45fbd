"""The keys an authority has had, and the names under which each is published.

A CA that takes a new key keeps its name, so its older certificates and its
newer ones have one issuer but two keys.  A relying party accepts a CRL or an
OCSP responder only from the key that signed the certificate in question
(RFC 6960 §4.2.2.2; most clients hold CRLs to the same rule).  Each key
therefore has a *label* of its own in URLs: the CA's name for the first,
``name.2``, ``name.3`` for its successors.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chancery.domain.algorithms import (
    SIGNATURES_OF,
    KeyAlgorithm,
    SignatureAlgorithm,
    key_family,
)
from chancery.domain.authority import Authority, AuthorityCertificate, AuthorityCertificateKind
from chancery.domain.crl import current_partition
from chancery.domain.errors import NotFound, WrongState
from chancery.ports import Session
from chancery.wire import ca_certificate
from chancery.wire.algorithms import load_key
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.tbs import IssuerContext

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[1-9][0-9]{0,3})?")

decode = lru_cache(maxsize=1024)(ca_certificate.decode)
"""Decode a CA certificate, once each."""


@dataclass(frozen=True, slots=True)
class CaKey:
    """One key of an authority with its newest own certificate.

    *key_id* is None where we do not hold the key.
    """

    generation: int
    label: str
    key_id: str | None
    certificate: CaCertificate


def label(name: str, generation: int) -> str:
    return name if generation == 1 else f"{name}.{generation}"


def split_label(text: str) -> str:
    """The authority's name in a label; slugs hold no dot."""
    return text.partition(".")[0]


def is_label(text: str) -> bool:
    """Whether *text*, which comes from a URL, can be a label at all."""
    return _LABEL.fullmatch(text) is not None


def ca_keys(certificates: Sequence[AuthorityCertificate]) -> list[CaKey]:
    """The keys behind these certificates, oldest first; cross and coming certificates add none."""
    newest: dict[bytes, AuthorityCertificate] = {}
    # Within one second the key ids decide: they end in a UUIDv7.
    for item in sorted(certificates, key=lambda c: (c.created_at, c.current, c.key_id or "")):
        if item.kind is AuthorityCertificateKind.CROSS or item.coming:
            continue
        newest[decode(item.der).spki] = item  # a key keeps the place of its first certificate
    return [
        CaKey(generation, label(item.authority, generation), item.key_id, decode(item.der))
        for generation, item in enumerate(newest.values(), start=1)
    ]


def current_key(authority: Authority, certificates: Sequence[AuthorityCertificate]) -> CaKey:
    """The key that signs now; WrongState while the authority has no certificate."""
    if authority.certificate is not None:
        spki = decode(authority.certificate).spki
        for key in ca_keys(certificates):
            if key.certificate.spki == spki:
                return key
    raise WrongState(
        f"{authority.name} has no certificate yet",
        field="authority",
        rule="authority.certificate",
        remedy="upload the certificate that was made from its CSR, or approve the pending one",
    )


def algorithm_of(authority: Authority, key: CaKey) -> SignatureAlgorithm:
    """How *key* signs: a former key of another kind keeps its kind's default."""
    family = key_family(load_key(key.certificate.spki))
    if family == authority.key_algorithm:
        return authority.signature_algorithm
    return SIGNATURES_OF[KeyAlgorithm(family)][0]


def signing_key(authority: Authority, certificates: Sequence[AuthorityCertificate]) -> CaKey:
    """The current key; WrongState if it never signs here, however often one tries."""
    key = current_key(authority, certificates)
    if authority.offline or key.key_id is None:
        raise WrongState(
            f"{authority.name} never signs through this server: its key is kept offline",
            field="authority",
            rule="authority.offline",
            remedy="use its ceremony directory, and upload what it signed",
        )
    return key


def issuer_context(
    authority: Authority,
    certificates: Sequence[AuthorityCertificate],
    http: str,
    listed_by: tuple[tuple[tuple[str, ...], bytes], ...] = (),
) -> IssuerContext:
    """What ``wire.tbs`` must know of the issuer; its name in URLs is the key's label.

    *listed_by*: see ``services.indirect``.
    """
    key = current_key(authority, certificates)
    return IssuerContext(
        name=key.label,
        subject_der=key.certificate.subject_der,
        key_identifier=key.certificate.key_identifier,
        signature_algorithm=authority.signature_algorithm,
        not_after=key.certificate.not_after,
        http=http,
        partition=current_partition(authority.crl_shards),
        listed_by=listed_by,
    )


def speaks(authority: Authority | None) -> bool:
    """Whether CRLs and OCSP answers about its certificates are made here."""
    return authority is not None and authority.key_id is not None and not authority.offline


def find(session: Session, name: str) -> Authority:
    """The authority of that name; NotFound if there is none."""
    authority = session.authorities.get(name)
    if authority is None:
        raise NotFound(
            f"no authority {name!r}",
            field="authority",
            rule="authority.known",
            remedy="`chancery ca list` shows those there are",
        )
    return authority
