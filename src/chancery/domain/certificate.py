"""Certificates on record."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from chancery.domain.names import GeneralName


class RevocationReason(IntEnum):
    """CRLReason (RFC 5280 §5.3.1)."""

    unspecified = 0
    keyCompromise = 1  # noqa: N815
    cACompromise = 2  # noqa: N815
    affiliationChanged = 3  # noqa: N815
    superseded = 4
    cessationOfOperation = 5  # noqa: N815
    certificateHold = 6  # noqa: N815
    privilegeWithdrawn = 9  # noqa: N815
    aACompromise = 10  # noqa: N815


class CertificateStatus(StrEnum):
    """Where a certificate stands.  Expiry is a matter of time, not of state."""

    INTENDED = "intended"  # on record, about to be signed
    VALID = "valid"
    HELD = "held"
    REVOKED = "revoked"
    ABANDONED = "abandoned"  # intended, and the signer's journal shows it was never signed


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be signed, durable before the signer is asked (C1).

    *serial* is lower-case hex without leading zeros; *tbs* the exact DER.
    """

    id: str
    authority: str
    key_id: str
    serial: str
    tbs: bytes
    request_id: str
    profile_sha256: str
    content_sha256: str
    created_at: int


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """One issued certificate.  Times are Unix seconds, hashes lower-case hex SHA-256."""

    id: str
    authority: str
    serial: str
    subject: str
    names: tuple[GeneralName, ...]
    not_before: int
    not_after: int
    key_sha256: str  # of the SubjectPublicKeyInfo
    sha256: str  # of the DER certificate
    profile: str
    profile_sha256: str
    request_id: str
    requester: str
    der: bytes
    issued_at: int
    status: CertificateStatus = CertificateStatus.VALID
    revoked_at: int | None = None
    reason: RevocationReason | None = None
    invalidity_date: int | None = None
    renewed_from: str | None = None


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """What a CRL and an OCSP answer need to know of a revoked certificate."""

    serial: str
    revoked_at: int
    reason: RevocationReason
    invalidity_date: int | None
