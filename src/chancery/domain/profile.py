"""X.509 extension profiles: typed, versioned templates of what a certificate may say."""

from dataclasses import dataclass, field
from enum import StrEnum

from chancery.domain.names import NameKind
from chancery.domain.validity import LeafAfterIssuer

DAY_S = 86_400


class KeyUsage(StrEnum):
    """RFC 5280 §4.2.1.3, in bit order."""

    DIGITAL_SIGNATURE = "digitalSignature"
    CONTENT_COMMITMENT = "contentCommitment"
    KEY_ENCIPHERMENT = "keyEncipherment"
    DATA_ENCIPHERMENT = "dataEncipherment"
    KEY_AGREEMENT = "keyAgreement"
    KEY_CERT_SIGN = "keyCertSign"
    CRL_SIGN = "cRLSign"
    ENCIPHER_ONLY = "encipherOnly"
    DECIPHER_ONLY = "decipherOnly"


EKU_NAMES: dict[str, str] = {
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
    "smartcardLogon": "1.3.6.1.4.1.311.20.2.2",
    "anyExtendedKeyUsage": "2.5.29.37.0",
}


@dataclass(frozen=True, slots=True)
class SanRule:
    """Which names of one kind may enter the SAN, and from where.

    A name passes if it satisfies every condition given.  *suffixes* are DNS
    suffixes with a leading dot (``.example.org``: any depth below) or exact
    names; for e-mail they apply to the domain.  *networks* are CIDR ranges for
    IP names.  *regex* must match the whole value.  At most *max_count* names.
    """

    kind: NameKind
    from_csr: bool = True
    from_requester: bool = True
    required: bool = False
    max_count: int = 100
    suffixes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    regex: str | None = None
    wildcards: bool = False


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    ca: bool = False
    path_length: int | None = None


@dataclass(frozen=True, slots=True)
class CertificatePolicy:
    """RFC 5280 §4.2.1.4; *notice* is explicitText, at most 200 characters."""

    oid: str
    cps_uri: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """RFC 5280 §4.2.1.10.

    Entries read ``dns:example.org``, ``ip:10.0.0.0/8``, ``email:.example.org``,
    ``directory:O=Example,C=DE``.
    """

    permitted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MsTemplate:
    """[MS-WCCE] §2.2.2.7.7.2, OID 1.3.6.1.4.1.311.21.7."""

    oid: str
    major: int
    minor: int | None = None


@dataclass(frozen=True, slots=True)
class CustomExtension:
    """Any other extension: *der_hex* fixed, or, where None, given by the requester."""

    oid: str
    critical: bool = False
    der_hex: str | None = None
    required: bool = False


class Override(StrEnum):
    """What a requester may choose within the profile's bounds."""

    VALIDITY = "validity"  # shorter, never longer
    SAN = "san"
    SUBJECT = "subject"
    CUSTOM_EXTENSIONS = "custom-extensions"


@dataclass(frozen=True, slots=True)
class ExtensionProfile:
    """A template; its *version* and content hash are pinned by every request.

    ``cdp``, ``aia_ocsp``, ``aia_issuers`` and ``freshest_crl`` are URL
    templates in which ``{ca}`` stands for the issuing CA's name and
    ``{http}`` for the base URL of the plain listener; in ``cdp``, ``{shard}``
    for the certificate's part of a CRL that is partitioned.  A ``{indirect}`` by
    itself in ``cdp`` stands for a point with cRLIssuer for each other CA whose
    indirect CRL lists the issuer's certificates.
    Times are seconds.  *key_algorithms* are names of ``KeyAlgorithm``, and
    ``rsa`` for any RSA key from 2048 to 8192 bits.
    """

    name: str
    description: str = ""
    key_algorithms: tuple[str, ...] = ("rsa", "ec-p256", "ec-p384", "ec-p521", "ed25519")
    validity_s: int = 90 * DAY_S
    max_validity_s: int = 398 * DAY_S
    backdate_s: int = 60
    after_issuer: LeafAfterIssuer = LeafAfterIssuer.TRUNCATE
    key_usage: tuple[KeyUsage, ...] = (KeyUsage.DIGITAL_SIGNATURE,)
    key_usage_critical: bool = True
    extended_key_usage: tuple[str, ...] = ()  # dotted OIDs
    extended_key_usage_critical: bool = False
    basic_constraints: BasicConstraints | None = field(default_factory=BasicConstraints)
    san: tuple[SanRule, ...] = ()
    cn_into_san: bool = False  # a CN that is a DNS name (or e-mail) joins the SAN
    cdp: tuple[str, ...] = ("{http}/crl/{ca}.crl",)
    aia_ocsp: tuple[str, ...] = ("{http}/ocsp/{ca}",)
    aia_issuers: tuple[str, ...] = ("{http}/ca/{ca}.cer",)
    freshest_crl: tuple[str, ...] = ()
    policies: tuple[CertificatePolicy, ...] = ()
    name_constraints: NameConstraints | None = None
    subject_key_identifier: bool = True
    authority_key_identifier: bool = True
    ocsp_no_check: bool = False
    ms_template: MsTemplate | None = None
    custom: tuple[CustomExtension, ...] = ()
    overrides: tuple[Override, ...] = ()
    dn_profile: str = "any-subject"
    approvals: int = 0  # the RA's and the CA's own minimum apply too: the largest wins
    renewal_window_s: int = 30 * DAY_S
    require_proof_of_possession: bool = True


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    """One immutable version: *sha256* (hex) is over the canonical JSON document."""

    profile: ExtensionProfile
    version: int
    sha256: str
    created_at: int
    created_by: str
