"""What relying parties are told about a certificate, and each authority's choices about it."""

from dataclasses import dataclass
from enum import StrEnum

from chancery.domain.certificate import CertificateStatus, RevokedEntry


class Unissued(StrEnum):
    """What is said of a serial that the authority never gave to anybody."""

    UNKNOWN = "unknown"
    REVOKED = "revoked"  # RFC 6960 §2.2, with the extended-revoke extension


class SignedRequests(StrEnum):
    """What becomes of signatures on requests (RFC 6960 §4.1.2)."""

    IGNORE = "ignore"  # everybody may ask
    VERIFY = "verify"  # and who signs must do it well
    REQUIRE = "require"  # nobody else is answered


@dataclass(frozen=True, slots=True)
class OcspPolicy:
    """One authority's OCSP.

    *archive_s*: how long after its end a certificate's status can still be
    asked for, as answers say (archive cutoff, RFC 6960 §4.4.4); None: they do
    not say.
    """

    unissued: Unissued = Unissued.UNKNOWN
    archive_s: int | None = None
    requests: SignedRequests = SignedRequests.IGNORE


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a serial stands.  *settled*: only a revocation or its lifting can change it.

    An intent is not: it becomes a certificate, or is abandoned.
    """

    status: CertificateStatus
    entry: RevokedEntry | None
    settled: bool


CertificateKey = tuple[str, str]
"""Authority and serial (lower-case hex)."""
