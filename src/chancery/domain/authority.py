"""Certification authorities, and the trees and containers they stand in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.crl import CrlTrigger
from chancery.domain.names import DistinguishedName


class SecurityLevel(StrEnum):
    """What an authority demands at the least; ``LEVELS`` says what each means."""

    LABORATORY = "laboratory"
    STANDARD = "standard"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class LevelRule:
    """*vaults* are kinds of key vault, *ca_approvals* people per subordinate CA, sizes bits."""

    vaults: tuple[str, ...]
    approvals: int
    ca_approvals: int
    min_rsa_bits: int
    min_curve_bits: int


LEVELS: dict[SecurityLevel, LevelRule] = {
    SecurityLevel.LABORATORY: LevelRule(("software", "pkcs11"), 0, 1, 2048, 256),
    SecurityLevel.STANDARD: LevelRule(("software", "pkcs11"), 0, 1, 3072, 256),
    SecurityLevel.HIGH: LevelRule(("pkcs11",), 2, 2, 4096, 384),
}


class AuthorityState(StrEnum):
    AWAITING_CERTIFICATE = "awaiting-certificate"  # external: our CSR is out to be signed
    ACTIVE = "active"
    DISABLED = "disabled"  # issues nothing; still answers for what it issued


class CrlIdp(StrEnum):
    """Whether an authority's CRLs carry issuingDistributionPoint (RFC 5280 §5.2.5)."""

    NONE = "none"
    FULL = "full"  # says where the CRL is found; it still speaks of every certificate


CRL_URLS: Final = ("{http}/crl/{ca}.crl",)
"""Where a CRL is found unless its authority says otherwise: what profiles put in CDPs."""


@dataclass(frozen=True, slots=True)
class Container:
    """A tree of authorities with one owner group."""

    name: str
    owner_group: str | None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA.  *name* is a slug and part of its URLs; *offline* never signs through the server.

    *certificate* is the DER of the current certificate, *chain* the DER
    certificates above it, nearest first.  *silo* and *region* are labels.
    *imported* authorities whose key we do not hold have ``key_id`` None.
    *crl_urls* are URL templates as in profiles, for the CRLs of *crl_idp*.
    *crl_delta_every_s* 0: no deltas.  *crl_shards*: each partition there was, as
    its number of shards, the last one for certificates to come (0: none).
    *crl_indirect* names authorities whose certificates it lists too.
    """

    name: str
    container: str
    parent: str | None
    subject: DistinguishedName
    key_id: str | None
    key_algorithm: KeyAlgorithm
    signature_algorithm: SignatureAlgorithm
    state: AuthorityState
    offline: bool
    silo: str
    region: str
    security_level: SecurityLevel
    certificate: bytes | None
    chain: tuple[bytes, ...]
    created_at: int
    csr: bytes | None = None  # DER, while awaiting an external certificate
    crl_lifetime_s: int = 7 * 86_400
    crl_every_s: int = 86_400
    ocsp_key_id: str | None = None
    ocsp_certificate: bytes | None = None
    crl_idp: CrlIdp = CrlIdp.NONE
    crl_urls: tuple[str, ...] = CRL_URLS
    crl_delta_every_s: int = 0
    crl_on_revocation: CrlTrigger = CrlTrigger.ALL
    crl_jitter_s: int = 0
    crl_shards: tuple[int, ...] = ()
    crl_ca_list: bool = False
    crl_keep_expired: bool = False
    crl_indirect: tuple[str, ...] = ()


class AuthorityCertificateKind(StrEnum):
    SELF_SIGNED = "self-signed"
    SUBORDINATE = "subordinate"
    CROSS = "cross"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class AuthorityCertificate:
    """Every certificate an authority ever had: renewals and cross-certificates too."""

    authority: str
    kind: AuthorityCertificateKind
    key_id: str | None
    serial: str
    issuer: str
    der: bytes
    not_before: int
    not_after: int
    created_at: int
    current: bool

    @property
    def coming(self) -> bool:
        """Made for a day to come, which has not been acted on: its key signs nothing yet.

        When it takes over, *created_at* becomes that moment.
        """
        made_here = self.kind in (
            AuthorityCertificateKind.SELF_SIGNED,
            AuthorityCertificateKind.SUBORDINATE,
        )
        return made_here and not self.current and self.not_before > self.created_at


@dataclass(frozen=True, slots=True)
class CrlRecord:
    """A CRL that was issued.  *number* only rises, per authority."""

    authority: str
    number: int
    this_update: int
    next_update: int
    entries: int
    der: bytes  # empty where only the history is asked for
    name: str | None = None  # label of its key
    seq: int = 0  # see domain.crl.CrlList
