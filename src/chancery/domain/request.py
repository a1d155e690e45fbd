"""Certificate requests, their states, and the approvals bound to their exact content."""

from dataclasses import dataclass
from enum import StrEnum

from chancery.domain.names import GeneralName
from chancery.domain.validity import ValidityRule


class RequestState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    ISSUED = "issued"
    DENIED = "denied"
    FAILED = "failed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


ALLOWED: dict[RequestState, frozenset[RequestState]] = {
    RequestState.PENDING: frozenset(
        {
            RequestState.APPROVED,
            RequestState.DENIED,
            RequestState.EXPIRED,
            RequestState.WITHDRAWN,
            RequestState.FAILED,
        }
    ),
    RequestState.APPROVED: frozenset({RequestState.ISSUED, RequestState.FAILED}),
    RequestState.ISSUED: frozenset(),
    RequestState.DENIED: frozenset(),
    RequestState.FAILED: frozenset({RequestState.APPROVED}),  # retried after an outage
    RequestState.EXPIRED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
}
"""The only transitions there are."""


class RequestKind(StrEnum):
    NEW = "new"
    RENEW_SAME_KEY = "renew-same-key"
    RENEW_NEW_KEY = "renew-new-key"


@dataclass(frozen=True, slots=True)
class ToBeSigned:
    """A TBSCertificate whose validity alone is still open.

    *before* is the DER content up to validity (version, serialNumber,
    signature, issuer), *after* what follows it (subject,
    subjectPublicKeyInfo, extensions).  ``wire.tbs`` joins them.
    """

    before: bytes
    after: bytes
    validity: ValidityRule


@dataclass(frozen=True, slots=True)
class Submission:
    """What a door understood of a request, before any policy has looked at it.

    Exactly one of *csr* (PEM or DER, as received) and *server_key* (a
    ``KeyAlgorithm`` value: we generate the key) is given.  *subject* maps
    attribute short names or OIDs to values; *extensions* dotted OIDs to DER.
    *days*, when given, shortens the validity.  *door* and *vouched* are set by
    doors alone: the one decides how many approve, the other is the SHA-256 of
    the CSR for whose key an authority that the door trusts has vouched.
    """

    profile: str
    ra: str | None = None
    authority: str | None = None
    csr: bytes | None = None
    server_key: str | None = None
    subject: tuple[tuple[str, str], ...] = ()
    names: tuple[GeneralName, ...] = ()
    extensions: tuple[tuple[str, bytes], ...] = ()
    days: int | None = None
    note: str = ""
    kind: RequestKind = RequestKind.NEW
    renews: str | None = None  # id of the certificate being renewed
    door: str | None = None  # name of the door it came in by
    vouched: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes, or that of two who signed in together, to exactly this content."""

    request_id: str
    approver: str
    content_sha256: str
    approved_at: int
    partner: str = ""

    @property
    def people(self) -> frozenset[str]:
        return frozenset({self.approver, self.partner} - {""})


@dataclass(frozen=True, slots=True)
class Note:
    author: str
    written_at: int
    text: str


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request on record.

    *content_sha256* is the hash approvals bind (``wire.tbs.content_hash``).
    *code_sha256* is the hash of the secret code given to an anonymous
    requester.  Times are Unix seconds.
    """

    id: str
    state: RequestState
    kind: RequestKind
    ra: str
    authority: str
    profile: str
    profile_sha256: str
    requester: str  # account name, or "anonymous"
    subject: str
    names: tuple[GeneralName, ...]
    key_sha256: str
    key_algorithm: str
    serial: str
    tbs: ToBeSigned
    content_sha256: str
    csr: bytes | None  # DER
    server_key_id: str | None
    approvals_needed: int
    submission: str  # canonical JSON of the Submission without its CSR, for edit and audit
    created_at: int
    expires_at: int
    code_sha256: str | None = None
    decided_at: int | None = None
    decision_reason: str | None = None
    certificate_id: str | None = None
    renews: str | None = None
    failure: str | None = None
