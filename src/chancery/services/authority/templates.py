"""CA certificates as extension profiles: the compiler of every other certificate makes them too."""

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.names import DistinguishedName
from chancery.domain.profile import (
    DAY_S,
    BasicConstraints,
    ExtensionProfile,
    KeyUsage,
    ProfileVersion,
)
from chancery.domain.validity import LeafAfterIssuer
from chancery.services.authority.specification import (
    ROOT_DAYS,
    SUBORDINATE_DAYS,
    Extensions,
)
from chancery.wire import der, documents, pkcs10

ROOT_PROFILE = "authority-root"
SUBORDINATE_PROFILE = "authority-subordinate"
"""What these templates are called on record; nobody chooses them for a request."""

_CDP = ("{http}/crl/{ca}.crl",)
_AIA_OCSP = ("{http}/ocsp/{ca}",)
_AIA_ISSUERS = ("{http}/ca/{ca}.cer",)

_KEYS = ("rsa", *(key.value for key in KeyAlgorithm if not key.startswith("rsa-")))
"""Keys of every kind we work with; the security level of the issuer says which sizes."""

BACKDATE_S = 60
"""Seconds: forgives slow clocks, and is the same for a root and a CA made right after it."""


def _version(profile: ExtensionProfile, now: int, author: str) -> ProfileVersion:
    return ProfileVersion(profile, 1, documents.sha256(profile), now, author)


def root(
    extensions: Extensions, now: int, author: str, *, usual_days: int = ROOT_DAYS
) -> ProfileVersion:
    """A self-signed certificate: no pointers, and no authorityKeyIdentifier (RFC 5280 §4.2.1.1)."""
    lasting_s = (extensions.days or usual_days) * DAY_S
    profile = ExtensionProfile(
        name=ROOT_PROFILE,
        key_algorithms=_KEYS,
        validity_s=lasting_s,
        max_validity_s=lasting_s,
        backdate_s=BACKDATE_S,
        after_issuer=LeafAfterIssuer.REFUSE,
        key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN),
        basic_constraints=BasicConstraints(ca=True, path_length=extensions.path_length),
        cdp=(),
        aia_ocsp=(),
        aia_issuers=(),
        policies=extensions.policies,
        name_constraints=extensions.name_constraints,
        authority_key_identifier=False,
        dn_profile="authority",
    )
    return _version(profile, now, author)


def subordinate(
    extensions: Extensions,
    path_length: int | None,
    now: int,
    author: str,
    *,
    online: bool,
    usual_days: int = SUBORDINATE_DAYS,
) -> ProfileVersion:
    """A certificate for a CA below another.  *online*: the issuer has a responder here.

    Without ``extensions.days`` it lasts *usual_days*, or ends with its issuer.
    """
    lasting_s = (extensions.days or usual_days) * DAY_S
    cut = LeafAfterIssuer.TRUNCATE if extensions.days is None else LeafAfterIssuer.REFUSE
    aia_ocsp = extensions.aia_ocsp
    if aia_ocsp is None:
        aia_ocsp = _AIA_OCSP if online else ()
    profile = ExtensionProfile(
        name=SUBORDINATE_PROFILE,
        key_algorithms=_KEYS,
        validity_s=lasting_s,
        max_validity_s=lasting_s,
        backdate_s=BACKDATE_S,
        after_issuer=cut,
        key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN),
        basic_constraints=BasicConstraints(ca=True, path_length=path_length),
        cdp=_CDP if extensions.cdp is None else extensions.cdp,
        aia_ocsp=aia_ocsp,
        aia_issuers=_AIA_ISSUERS if extensions.aia_issuers is None else extensions.aia_issuers,
        policies=extensions.policies,
        name_constraints=extensions.name_constraints,
        dn_profile="authority",
    )
    return _version(profile, now, author)


def request_info(subject: DistinguishedName, spki: bytes, path_length: int | None) -> bytes:
    """CertificationRequestInfo of a CA: what it hopes for in basicConstraints and keyUsage."""
    constraints = [der.boolean(value=True)]
    if path_length is not None:
        constraints.append(der.integer(path_length))
    return pkcs10.encode_info(
        subject,
        spki,
        (
            ("2.5.29.19", True, der.sequence(*constraints)),
            ("2.5.29.15", True, der.named_bits((5, 6))),
        ),
    )


def join_request(info: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """The DER CSR."""
    return pkcs10.join(info, algorithm, signature)
