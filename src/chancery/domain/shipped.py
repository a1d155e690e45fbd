"""The profiles a new instance starts with.  Administrators copy and change them.

Key usages that a key cannot bear are left out of its certificate
(``domain.key_usage``), so ``user`` may name both ways to receive encrypted mail.
"""

from typing import Final

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.names import ATTRIBUTES, NameKind
from chancery.domain.profile import (
    DAY_S,
    EKU_NAMES,
    BasicConstraints,
    ExtensionProfile,
    KeyUsage,
    Override,
    SanRule,
)
from chancery.domain.validity import LeafAfterIssuer

_ANY_KEY: Final = (
    *("rsa", "ec-p256", "ec-p384", "ec-p521", "ed25519"),
    *("ml-dsa-44", "ml-dsa-65", "ml-dsa-87"),
)
_YEAR_S: Final = 365 * DAY_S
_CHOICES: Final = (Override.VALIDITY, Override.SAN, Override.SUBJECT)


def _ekus(*names: str) -> tuple[str, ...]:
    return tuple(EKU_NAMES[name] for name in names)


# No wildcards and no URIs by default: each widens what one stolen key can claim to be.
_HOST: Final = (SanRule(NameKind.DNS), SanRule(NameKind.IP))

PROFILES: Final[tuple[ExtensionProfile, ...]] = (
    ExtensionProfile(
        name="tls-server",
        description="TLS servers; host names and addresses in the SAN",
        key_algorithms=_ANY_KEY,
        validity_s=90 * DAY_S,
        max_validity_s=398 * DAY_S,
        extended_key_usage=_ekus("serverAuth"),
        san=_HOST,
        cn_into_san=True,
        overrides=_CHOICES,
        dn_profile="tls",
    ),
    ExtensionProfile(
        name="tls-client",
        description="TLS clients: services and machines that authenticate to others",
        key_algorithms=_ANY_KEY,
        validity_s=90 * DAY_S,
        max_validity_s=398 * DAY_S,
        extended_key_usage=_ekus("clientAuth"),
        san=(*_HOST, SanRule(NameKind.EMAIL)),
        overrides=_CHOICES,
        dn_profile="service",
    ),
    ExtensionProfile(
        name="tls-server-client",
        description="TLS servers that are clients too: meshes, databases, message brokers",
        key_algorithms=_ANY_KEY,
        validity_s=90 * DAY_S,
        max_validity_s=398 * DAY_S,
        extended_key_usage=_ekus("serverAuth", "clientAuth"),
        san=_HOST,
        cn_into_san=True,
        overrides=_CHOICES,
        dn_profile="tls",
    ),
    ExtensionProfile(
        name="user",
        description="People: S/MIME mail and TLS client authentication",
        key_algorithms=_ANY_KEY,
        validity_s=_YEAR_S,
        max_validity_s=2 * _YEAR_S,
        key_usage=(
            KeyUsage.DIGITAL_SIGNATURE,
            KeyUsage.KEY_ENCIPHERMENT,  # RSA keys
            KeyUsage.KEY_AGREEMENT,  # EC keys
        ),
        extended_key_usage=_ekus("clientAuth", "emailProtection"),
        san=(SanRule(NameKind.EMAIL, required=True, max_count=10), SanRule(NameKind.UPN)),
        cn_into_san=True,
        overrides=_CHOICES,
        dn_profile="person",
    ),
    ExtensionProfile(
        name="device",
        description="Machines and network devices: TLS client authentication",
        key_algorithms=_ANY_KEY,
        validity_s=_YEAR_S,
        max_validity_s=3 * _YEAR_S,
        extended_key_usage=_ekus("clientAuth"),
        san=_HOST,
        cn_into_san=True,
        overrides=_CHOICES,
        dn_profile="device",
    ),
    ExtensionProfile(
        name="code-signing",
        description="Signatures over programs and packages",
        key_algorithms=_ANY_KEY,
        validity_s=_YEAR_S,
        max_validity_s=3 * _YEAR_S,
        extended_key_usage=_ekus("codeSigning"),
        overrides=(Override.VALIDITY, Override.SUBJECT),
        dn_profile="service",
    ),
    ExtensionProfile(
        name="ocsp-signer",
        description="A responder that answers for its CA; short-lived, so never looked up itself",
        key_algorithms=_ANY_KEY,
        validity_s=30 * DAY_S,
        max_validity_s=90 * DAY_S,
        extended_key_usage=_ekus("OCSPSigning"),
        cdp=(),
        aia_ocsp=(),
        ocsp_no_check=True,
        overrides=(Override.VALIDITY,),
        dn_profile="authority",
        renewal_window_s=10 * DAY_S,
    ),
    ExtensionProfile(
        name="door-ra",
        description="The key of an enrolment door (SCEP, CMP): clients encrypt to it",
        key_algorithms=("rsa",),
        validity_s=_YEAR_S,
        max_validity_s=3 * _YEAR_S,
        after_issuer=LeafAfterIssuer.TRUNCATE,
        key_usage=(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT),
        # id-kp-cmcRA (RFC 6402 §2.10); OpenSSL's PKCS7_verify, which certmonger calls,
        # believes signers of messages only with emailProtection.
        extended_key_usage=(*_ekus("emailProtection"), "1.3.6.1.5.5.7.3.28"),
        overrides=(Override.VALIDITY,),
        dn_profile="authority",
    ),
    ExtensionProfile(
        name="timestamping",
        description="A time-stamping authority (RFC 3161)",
        key_algorithms=_ANY_KEY,
        validity_s=3 * _YEAR_S,
        max_validity_s=10 * _YEAR_S,
        extended_key_usage=_ekus("timeStamping"),
        extended_key_usage_critical=True,
        overrides=(Override.VALIDITY, Override.SUBJECT),
        dn_profile="authority",
    ),
    ExtensionProfile(
        name="subordinate-ca",
        description="A CA that issues to end entities and to no further CA",
        key_algorithms=_ANY_KEY,
        validity_s=5 * _YEAR_S,
        max_validity_s=10 * _YEAR_S,
        after_issuer=LeafAfterIssuer.TRUNCATE,
        key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN),
        basic_constraints=BasicConstraints(ca=True, path_length=0),
        overrides=(Override.VALIDITY, Override.SUBJECT),
        dn_profile="authority",
        approvals=1,
        renewal_window_s=180 * DAY_S,
    ),
)


def _from_csr(*names: str, required: tuple[str, ...] = ()) -> tuple[AttributeRule, ...]:
    """One rule for each name, taking the CSR's value; the requester may correct it."""
    return tuple(
        AttributeRule(
            oid=ATTRIBUTES[name][0],
            syntax=ATTRIBUTES[name][1],
            source=ValueSource.CSR,
            required=name in required,
            editable=True,
            max_length=ATTRIBUTES[name][2],
        )
        for name in names
    )


_ORGANISATION: Final = ("C", "ST", "L", "O", "OU")

DN_PROFILES: Final[tuple[DnProfile, ...]] = (
    DnProfile(
        "any-subject",
        _from_csr(
            *("DC", "DC", "DC", "DC", "C", "ST", "L", "O", "OU", "OU", "OU"),
            *("CN", "serialNumber", "emailAddress"),
        ),
        description="Whatever the CSR names of the common attributes; nothing is required",
    ),
    DnProfile(
        "tls",
        _from_csr(*_ORGANISATION, "CN"),
        description="Servers: organisation and host name, both optional beside a SAN",
    ),
    DnProfile(
        "person",
        _from_csr(
            *("DC", "DC", "DC", "DC", "C", "O", "OU", "OU", "CN"),
            *("GN", "SN", "serialNumber", "UID", "emailAddress"),
            required=("CN",),
        ),
        description="People: a common name is required",
    ),
    DnProfile(
        "device",
        _from_csr(*_ORGANISATION, "CN", "serialNumber", required=("CN",)),
        description="Devices: a common name is required, a serial number welcome",
    ),
    DnProfile(
        "service",
        _from_csr("DC", "DC", "DC", "DC", *_ORGANISATION, "CN", "UID", required=("CN",)),
        description="Services and signers: a common name is required",
    ),
    DnProfile(
        "authority",
        _from_csr("DC", "DC", "DC", "DC", *_ORGANISATION, "CN", required=("CN",)),
        description="CAs, responders, time-stamping authorities: a common name is required",
    ),
)
