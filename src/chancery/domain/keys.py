"""Keys in the vault, and the orders the vault accepts.  The private part is never here."""

from dataclasses import dataclass
from enum import StrEnum

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.vaults import SOFTWARE


class KeyPurpose(StrEnum):
    """What a key may do, fixed when it is made.  The vault refuses everything else."""

    AUTHORITY = "authority"  # certificates and CRLs
    OCSP = "ocsp"  # OCSP responses
    AUDIT = "audit"  # checkpoints of the audit log
    SUBJECT = "subject"  # made for a requester; leaves once, as PKCS#12
    DOOR = "door"  # messages of an enrolment protocol: signs what we answer, opens what is sent


class KeyTransport(StrEnum):
    """How a key was encrypted to an RSA key: RFC 8017 §7.2, and §7.1 with its hash in MGF1 too."""

    PKCS1 = "pkcs1"
    OAEP_SHA1 = "oaep-sha1"
    OAEP_SHA256 = "oaep-sha256"
    OAEP_SHA384 = "oaep-sha384"
    OAEP_SHA512 = "oaep-sha512"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be known of a key outside its vault, which *vault* names.  *spki* is DER."""

    key_id: str
    algorithm: KeyAlgorithm
    purpose: KeyPurpose
    spki: bytes
    created_at: int
    vault: str = SOFTWARE


@dataclass(frozen=True, slots=True)
class CertificateOrder:
    """One end-entity certificate to sign, with the intent that is already on record.

    The vault refuses the order unless the TBS carries *serial*, hashes to
    *tbs_sha256* (hex), names the key's own issuer, lies inside its validity,
    is CA:FALSE, stays inside its EKU list, and no order for this key and
    serial was ever seen before.
    """

    key_id: str
    algorithm: SignatureAlgorithm
    tbs: bytes
    intent_id: str
    serial: str
    tbs_sha256: str
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaAuthorisation:
    """People's statement that this very CA certificate is to be signed.

    The vault counts *approvers* against the number its key demands and
    compares *tbs_sha256* (hex).
    """

    tbs_sha256: str
    approvers: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class SignatureOnRecord:
    """What the vault's journal says of one certificate serial."""

    key_id: str
    serial: str
    tbs_sha256: str
    signature: bytes
    signed_at: int
