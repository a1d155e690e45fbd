"""Certificate extensions: each takes values and returns one DER Extension (RFC 5280 §4.2).

Criticality is what RFC 5280 says; where it leaves a choice, the caller names it.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import NameKind
from chancery.domain.profile import (
    BasicConstraints,
    CertificatePolicy,
    KeyUsage,
    MsTemplate,
    NameConstraints,
)
from chancery.wire import der, names

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
NAME_CONSTRAINTS: Final = "2.5.29.30"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
CERTIFICATE_POLICIES: Final = "2.5.29.32"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
FRESHEST_CRL: Final = "2.5.29.46"
AUTHORITY_INFORMATION_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
OCSP_NO_CHECK: Final = "1.3.6.1.5.5.7.48.1.5"
MS_TEMPLATE: Final = "1.3.6.1.4.1.311.21.7"

_OCSP = der.oid("1.3.6.1.5.5.7.48.1")
_CA_ISSUERS = der.oid("1.3.6.1.5.5.7.48.2")
_CPS = der.oid("1.3.6.1.5.5.7.2.1")
_USER_NOTICE = der.oid("1.3.6.1.5.5.7.2.2")
_BITS: Final = {usage: position for position, usage in enumerate(KeyUsage)}
_TRUE = der.boolean(value=True)


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """Extension around a DER value; ``critical`` is DEFAULT FALSE, so FALSE is left out."""
    return der.sequence(der.oid(oid), _TRUE if critical else b"", der.octet_string(value))


def key_usage(usages: Iterable[KeyUsage], *, critical: bool) -> bytes:
    """keyUsage, §4.2.1.3."""
    positions = tuple(_BITS[usage] for usage in usages)
    return extension(KEY_USAGE, der.named_bits(positions), critical=critical)


def extended_key_usage(oids: Iterable[str], *, critical: bool) -> bytes:
    """extKeyUsage, §4.2.1.12."""
    return extension(EXTENDED_KEY_USAGE, der.sequence(*map(der.oid, oids)), critical=critical)


def basic_constraints(constraints: BasicConstraints) -> bytes:
    """basicConstraints, §4.2.1.9; critical in leaves too, so that nobody may overlook it."""
    parts = []
    if constraints.ca:
        parts.append(_TRUE)
        if constraints.path_length is not None:
            parts.append(der.integer(constraints.path_length))
    return extension(BASIC_CONSTRAINTS, der.sequence(*parts), critical=True)


def subject_key_identifier(identifier: bytes) -> bytes:
    """subjectKeyIdentifier, §4.2.1.2."""
    return extension(SUBJECT_KEY_IDENTIFIER, der.octet_string(identifier))


def authority_key_identifier(identifier: bytes) -> bytes:
    """authorityKeyIdentifier with keyIdentifier alone, §4.2.1.1."""
    return extension(AUTHORITY_KEY_IDENTIFIER, der.sequence(der.implicit(0, identifier)))


def _uri(url: str) -> bytes:
    if not (url.isascii() and url.isprintable() and ":" in url and " " not in url):
        raise BadRequest(
            f"not a URL a certificate can carry: {url[:100]!r}",
            field="profile",
            rule="profile.url",
            remedy="write it in ASCII, like http://pki.example.org/ca.crl",
        )
    return der.implicit(6, url.encode("ascii"))


def _point(urls: Iterable[str], issuer: bytes | None = None) -> bytes:
    """One point with several names: they are ways to the same CRL (§4.2.1.13)."""
    full_name = der.implicit(0, b"".join(map(_uri, urls)), constructed=True)
    parts = [der.explicit(0, full_name)]
    if issuer is not None:  # [2] GeneralNames, of one directoryName
        parts.append(der.implicit(2, der.explicit(4, issuer), constructed=True))
    return der.sequence(*parts)


def crl_distribution_points(
    urls: Sequence[str], indirect: Iterable[tuple[Sequence[str], bytes]] = ()
) -> bytes:
    """cRLDistributionPoints, §4.2.1.13.  *indirect*: (URLs, DER Name of the CRL's issuer) each."""
    points = [_point(urls)] if urls else []
    points += [_point(places, issuer) for places, issuer in indirect]
    return extension(CRL_DISTRIBUTION_POINTS, der.sequence(*points))


def freshest_crl(urls: Iterable[str]) -> bytes:
    """freshestCRL, §4.2.1.15."""
    return extension(FRESHEST_CRL, der.sequence(_point(urls)))


def authority_information_access(ocsp: Iterable[str], issuers: Iterable[str]) -> bytes:
    """authorityInfoAccess, §4.2.2.1."""
    descriptions = [der.sequence(_OCSP, _uri(url)) for url in ocsp]
    descriptions += [der.sequence(_CA_ISSUERS, _uri(url)) for url in issuers]
    return extension(AUTHORITY_INFORMATION_ACCESS, der.sequence(*descriptions))


def _policy(policy: CertificatePolicy) -> bytes:
    qualifiers = []
    if policy.cps_uri is not None:
        text = der.tlv(der.IA5_STRING, policy.cps_uri.encode("ascii"))
        qualifiers.append(der.sequence(_CPS, text))
    if policy.notice is not None:
        # UserNotice with explicitText; UTF8String is what §4.2.1.4 recommends.
        notice = der.sequence(der.tlv(der.UTF8_STRING, policy.notice.encode()))
        qualifiers.append(der.sequence(_USER_NOTICE, notice))
    return der.sequence(der.oid(policy.oid), der.sequence(*qualifiers) if qualifiers else b"")


def certificate_policies(policies: Iterable[CertificatePolicy]) -> bytes:
    """certificatePolicies, §4.2.1.4."""
    return extension(CERTIFICATE_POLICIES, der.sequence(*map(_policy, policies)))


def _network(value: str) -> bytes:
    network = ipaddress.ip_network(value)
    return der.implicit(7, network.network_address.packed + network.netmask.packed)


def _ia5(number: int) -> Callable[[str], bytes]:
    return lambda value: der.implicit(number, value.encode("ascii"))


_CONSTRAINTS: Final[dict[NameKind, Callable[[str], bytes]]] = {
    NameKind.EMAIL: _ia5(1),
    NameKind.DNS: _ia5(2),
    NameKind.URI: _ia5(6),
    NameKind.IP: _network,
    NameKind.DIRECTORY: lambda v: der.explicit(4, names.encode_name(names.parse_text(v))),
}


def name_constraint(text: str) -> bytes:
    """DER GeneralName of one constraint such as ``ip:10.0.0.0/8`` (§4.2.1.10)."""
    kind, _, value = text.partition(":")
    try:
        return _CONSTRAINTS[NameKind(kind)](value)
    except (ValueError, KeyError):  # UnicodeEncodeError is a ValueError
        raise BadName(
            f"not a name constraint: {text[:100]!r}",
            field="profile.name_constraints",
            rule="profile.name-constraint",
            remedy="write dns:example.org, email:.example.org, ip:10.0.0.0/8, uri:.example.org"
            " or directory:O=Example,C=DE",
        ) from None


def name_constraints(constraints: NameConstraints) -> bytes:
    """nameConstraints, §4.2.1.10: always critical, minimum 0 and no maximum."""
    parts = []
    for number, texts in enumerate((constraints.permitted, constraints.excluded)):
        if texts:
            subtrees = b"".join(der.sequence(name_constraint(text)) for text in texts)
            parts.append(der.implicit(number, subtrees, constructed=True))
    return extension(NAME_CONSTRAINTS, der.sequence(*parts), critical=True)


def ocsp_no_check() -> bytes:
    """id-pkix-ocsp-nocheck, RFC 6960 §4.2.2.2.1."""
    return extension(OCSP_NO_CHECK, der.NULL)


def ms_template(template: MsTemplate) -> bytes:
    """CertificateTemplateOID, [MS-WCCE] §2.2.2.7.7.2."""
    minor = b"" if template.minor is None else der.integer(template.minor)
    value = der.sequence(der.oid(template.oid), der.integer(template.major), minor)
    return extension(MS_TEMPLATE, value)
