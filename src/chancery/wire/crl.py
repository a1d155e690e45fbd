"""Certificate revocation lists (RFC 5280 §5): joined from entries encoded one by one.

Bytes in, domain values out, and back.  No I/O, no clock, no settings.
A builder that models every entry takes 12 s for a million of them; joining
their encodings takes a fraction of one.
"""

import time as clock
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509 import IssuingDistributionPoint

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.domain.errors import BadRequest
from chancery.wire import algorithms, der
from chancery.wire.ca_certificate import UNREADABLE

_CRL_NUMBER = der.oid("2.5.29.20")
_REASON_CODE = der.oid("2.5.29.21")
_INVALIDITY_DATE = der.oid("2.5.29.24")
_ISSUING_DISTRIBUTION_POINT = der.oid("2.5.29.28")
_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")

_CRITICAL = der.boolean(value=True)
_VERSION_2 = der.integer(1)
_EXTENSION_TAG = 0xA0
_LIMIT = 256 * 1024 * 1024
"""Octets of a CRL that we agree to look at: some six million entries."""


@lru_cache(maxsize=4096)
def generalized_time(unix_seconds: int) -> bytes:
    """GeneralizedTime without fraction, also before 2050: what status formats want."""
    text = clock.strftime("%Y%m%d%H%M%SZ", clock.gmtime(unix_seconds))
    return der.tlv(der.GENERALIZED_TIME, text.encode())


def _reason_extension(reason: RevocationReason) -> bytes:
    """reasonCode (§5.3.1), an ENUMERATED.  ``unspecified`` is said by leaving it out."""
    value = der.tlv(der.ENUMERATED, bytes([reason.value]))
    return der.sequence(_REASON_CODE, der.octet_string(value))


_REASONS: dict[RevocationReason, bytes] = {
    reason: b"" if reason is RevocationReason.unspecified else _reason_extension(reason)
    for reason in RevocationReason
}
_REASON_ONLY: dict[RevocationReason, bytes] = {
    reason: der.sequence(extension) if extension else b"" for reason, extension in _REASONS.items()
}


def _serial(text: str) -> bytes:
    """A serial number in hex as a DER INTEGER, without going through a Python integer."""
    content = bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
    if content[0] & 0x80:
        content = b"\x00" + content
    return b"\x02" + bytes([len(content)]) + content


def entry(revoked: RevokedEntry) -> bytes:
    """Encode one revokedCertificates element.

    reasonCode is omitted for ``unspecified``; invalidityDate is always a
    GeneralizedTime (§5.3.2).
    """
    serial_and_date = _serial(revoked.serial) + der.time(revoked.revoked_at)
    if revoked.invalidity_date is None:
        return der.tlv(0x30, serial_and_date + _REASON_ONLY[revoked.reason])
    date = der.octet_string(generalized_time(revoked.invalidity_date))
    extensions = _REASONS[revoked.reason] + der.sequence(_INVALIDITY_DATE, date)
    return der.tlv(0x30, serial_and_date + der.tlv(0x30, extensions))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a CRL is found, and what it speaks of where that is not all (§5.2.5).

    *distribution_point* are the URLs of this very CRL.  *otherwise_limited* is only ever
    read: reasons, indirect and attribute CRLs, or places that are no URLs, are not written here.
    """

    distribution_point: tuple[str, ...] = ()
    only_user_certificates: bool = False
    only_ca_certificates: bool = False
    otherwise_limited: bool = False

    def __post_init__(self) -> None:
        if self.only_user_certificates and self.only_ca_certificates:
            raise BadRequest("a CRL cannot hold only user and only CA certificates", field="scope")

    @property
    def limits(self) -> bool:
        """Whether such a CRL leaves out certificates of its issuer."""
        return self.only_user_certificates or self.only_ca_certificates or self.otherwise_limited

    def encode(self) -> bytes:
        """IssuingDistributionPoint, without the fields that have their default."""
        if self.otherwise_limited:
            raise ValueError("bug: such a scope can be read and not written")
        parts = []
        if self.distribution_point:
            urls = b"".join(der.tlv(0x86, url.encode("ascii")) for url in self.distribution_point)
            parts.append(der.tlv(0xA0, der.tlv(0xA0, urls)))
        if self.only_user_certificates:
            parts.append(b"\x81\x01\xff")
        if self.only_ca_certificates:
            parts.append(b"\x82\x01\xff")
        return der.sequence(*parts)


def tbs(
    *,
    issuer: bytes,
    key_identifier: bytes,
    algorithm: SignatureAlgorithm,
    number: int,
    this_update: int,
    next_update: int,
    entries: Iterable[bytes],
    scope: Scope | None = None,
) -> bytes:
    """Encode a TBSCertList, version 2.

    *issuer* is a DER Name; *entries* come from ``entry``; times are Unix
    seconds.  An empty list of entries is left out, as §5.1.2.6 demands.
    """
    revoked = b"".join(entries)
    extensions = [
        der.sequence(
            _AUTHORITY_KEY_IDENTIFIER,
            der.octet_string(der.sequence(der.tlv(0x80, key_identifier))),
        ),
        der.sequence(_CRL_NUMBER, der.octet_string(der.integer(number))),
    ]
    if scope is not None:
        extensions.append(
            der.sequence(_ISSUING_DISTRIBUTION_POINT, _CRITICAL, der.octet_string(scope.encode()))
        )
    return der.sequence(
        _VERSION_2,
        algorithms.algorithm_identifier(algorithm),
        issuer,
        der.time(this_update),
        der.time(next_update),
        der.tlv(0x30, revoked) if revoked else b"",
        der.tlv(_EXTENSION_TAG, der.sequence(*extensions)),
    )


def join(tbs_der: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """Make the CertificateList."""
    return der.sequence(
        tbs_der, algorithms.algorithm_identifier(algorithm), der.bit_string(signature)
    )


@dataclass(frozen=True, slots=True)
class Crl:
    """What must be known of a CRL before it replaces another.  *issuer* is a DER Name.

    *complete*: no critical extension limits what it speaks of (§5.2.4, §5.2.5);
    a *scope* that only says where the CRL is found does not.
    """

    tbs: bytes
    issuer: bytes
    algorithm: SignatureAlgorithm
    signature: bytes
    number: int
    key_identifier: bytes | None
    this_update: int
    next_update: int
    entries: int
    complete: bool
    scope: Scope | None


def decode(data: bytes) -> Crl:
    """Read a DER CRL; BadRequest unless it is version 2 with number and nextUpdate."""
    if len(data) > _LIMIT:
        raise BadRequest(f"a CRL is at most {_LIMIT} octets", field="crl", rule="crl.size")
    try:
        parsed = x509.load_der_x509_crl(data)
        number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        next_update = parsed.next_update_utc
        signature, tbs_der = parsed.signature, parsed.tbs_certlist_bytes
        this_update = parsed.last_update_utc
        identifier = _key_identifier(parsed)
        entries = len(parsed)
        scope = _scope(parsed)
        critical = {e.oid for e in parsed.extensions if e.critical}
    except UNREADABLE as error:
        raise BadRequest(f"not a usable CRL: {error}", field="crl", rule="crl.syntax") from error
    if next_update is None:
        raise BadRequest("the CRL has no nextUpdate", field="crl", rule="crl.next-update")
    algorithm, issuer = _header(tbs_der)
    outer, unused = _outer(data)
    if algorithms.signature_algorithm_of(outer) is not algorithm or unused:
        raise BadRequest(
            "its unsigned part is not what it says inside", field="crl", rule="crl.outer"
        )
    return Crl(
        tbs=tbs_der,
        issuer=issuer,
        algorithm=algorithm,
        signature=signature,
        number=number,
        key_identifier=identifier,
        this_update=int(this_update.timestamp()),
        next_update=int(next_update.timestamp()),
        entries=entries,
        complete=critical <= {IssuingDistributionPoint.oid} and not (scope and scope.limits),
        scope=scope,
    )


def _scope(parsed: x509.CertificateRevocationList) -> Scope | None:
    try:
        found = parsed.extensions.get_extension_for_class(IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return None
    places = found.full_name or ()
    urls = tuple(n.value for n in places if isinstance(n, x509.UniformResourceIdentifier))
    return Scope(
        distribution_point=urls,
        only_user_certificates=found.only_contains_user_certs,
        only_ca_certificates=found.only_contains_ca_certs,
        otherwise_limited=bool(
            found.indirect_crl
            or found.only_some_reasons
            or found.only_contains_attribute_certs
            or found.relative_name
            or len(urls) < len(places)
        ),
    )


def _key_identifier(parsed: x509.CertificateRevocationList) -> bytes | None:
    try:
        found = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return found.value.key_identifier


def _header(tbs_der: bytes) -> tuple[SignatureAlgorithm, bytes]:
    """The signature algorithm and the raw issuer of a TBSCertList."""
    reader = der.Reader(tbs_der).enter(der.SEQUENCE)
    reader.read(der.INTEGER)
    _, _, algorithm = reader.read(der.SEQUENCE)
    _, _, issuer = reader.read(der.SEQUENCE)
    return algorithms.signature_algorithm_of(algorithm), issuer


def _outer(data: bytes) -> tuple[bytes, int]:
    """(AlgorithmIdentifier, unused bits of the signature): what is not signed (§5.1.1)."""
    _, at, end = der.header(data, 0, len(data))
    _, _, at = der.header(data, at, end)
    _, _, stop = der.header(data, at, end)
    _, start, _ = der.header(data, stop, end)
    return data[at:stop], data[start]
