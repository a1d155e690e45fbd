"""Certificates that others made, read as they are: what an inventory must know of each.

More lenient than ``ca_certificate``: algorithms and names that we would never
write are no reason not to know when something expires.  Bytes in, values out.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import GeneralName, NameKind
from chancery.wire import ca_certificate, der, general_names, names

LIMIT = 64 * 1024
"""Octets of one certificate."""
_MAX_NAMES = 1_000
_MAX_VALUE = 4_096


@dataclass(frozen=True, slots=True)
class ForeignCertificate:
    """A certificate.  Names are DER and RFC 4514 text, times Unix seconds, *serial* hex.

    *names* are those of the SAN that we know to write down.
    """

    der: bytes
    parsed: x509.Certificate
    subject_der: bytes
    subject: str
    issuer_der: bytes
    issuer: str
    serial: str
    not_before: int
    not_after: int
    spki: bytes
    names: tuple[GeneralName, ...]
    is_ca: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest()

    @property
    def key_sha256(self) -> str:
        return hashlib.sha256(self.spki).hexdigest()

    @property
    def self_issued(self) -> bool:
        return self.subject_der == self.issuer_der

    def signed_by(self, issuer: "ForeignCertificate") -> bool:
        """Whether *issuer*'s key made this signature, and its name stands in here."""
        if self.issuer_der != issuer.subject_der:
            return False
        try:
            return ca_certificate.decode(self.der).signed_by(_issuer(issuer.der))
        except BadRequest:  # of a kind we do not work with ourselves
            pass
        try:
            self.parsed.verify_directly_issued_by(issuer.parsed)
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            return False
        return True


_issuer = lru_cache(maxsize=64)(ca_certificate.decode)


def decode(data: bytes) -> ForeignCertificate:
    """Read one DER certificate; BadRequest if it is none, or one that no list can hold."""
    if len(data) > LIMIT:
        raise BadRequest(
            f"a certificate is at most {LIMIT} octets", field="certificate", rule="certificate.size"
        )
    try:
        parsed = x509.load_der_x509_certificate(data)
        serial = parsed.serial_number
        begins, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        extensions = {extension.oid: extension.value for extension in parsed.extensions}
        issuer_der, subject_der, spki = _fields(parsed.tbs_certificate_bytes)
        subject, issuer = _text(subject_der, parsed.subject), _text(issuer_der, parsed.issuer)
    except (*ca_certificate.UNREADABLE, BadRequest) as error:
        raise BadRequest(
            f"not a certificate: {str(error)[:200]}", field="certificate", rule="certificate.syntax"
        ) from error
    if serial <= 0:
        raise BadRequest(
            "its serial number is not positive", field="certificate", rule="certificate.serial"
        )
    constraints = extensions.get(x509.BasicConstraints.oid)
    san = extensions.get(x509.SubjectAlternativeName.oid)
    return ForeignCertificate(
        der=data,
        parsed=parsed,
        subject_der=subject_der,
        subject=subject,
        issuer_der=issuer_der,
        issuer=issuer,
        serial=f"{serial:x}",
        not_before=max(0, int(begins.timestamp())),
        not_after=max(0, int(ends.timestamp())),
        spki=spki,
        names=tuple(_names(san)) if isinstance(san, x509.SubjectAlternativeName) else (),
        is_ca=isinstance(constraints, x509.BasicConstraints) and constraints.ca,
    )


def _fields(tbs: bytes) -> tuple[bytes, bytes, bytes]:
    """(issuer, subject, subjectPublicKeyInfo) of a TBSCertificate, as they stand there."""
    reader = der.Reader(tbs).enter(der.SEQUENCE)
    reader.optional(0xA0)
    reader.content(der.INTEGER)
    reader.read(der.SEQUENCE)
    _, _, issuer = reader.read(der.SEQUENCE)
    reader.read(der.SEQUENCE)
    _, _, subject = reader.read(der.SEQUENCE)
    _, _, spki = reader.read(der.SEQUENCE)
    return issuer, subject, spki


def _text(name_der: bytes, parsed: x509.Name) -> str:
    try:
        return names.decode_name(name_der).text
    except BadRequest:  # string types or an order that we would not write
        return "".join(c if c.isprintable() else "\ufffd" for c in parsed.rfc4514_string())


def _names(san: x509.SubjectAlternativeName) -> Iterator[GeneralName]:
    for name in list(san)[:_MAX_NAMES]:
        found = _name(name)
        if found is not None and len(found.value) <= _MAX_VALUE and found.value.isprintable():
            yield found


def _name(name: x509.GeneralName) -> GeneralName | None:  # noqa: PLR0911 - a table
    match name:
        case x509.DNSName(value=value):
            return GeneralName(NameKind.DNS, value.lower())
        case x509.RFC822Name(value=value):
            return GeneralName(NameKind.EMAIL, value)
        case x509.UniformResourceIdentifier(value=value):
            return GeneralName(NameKind.URI, value)
        case x509.IPAddress(value=address):
            return GeneralName(NameKind.IP, str(address))
        case x509.RegisteredID(value=oid):
            return GeneralName(NameKind.REGISTERED_ID, oid.dotted_string)
        case x509.DirectoryName(value=directory):
            return GeneralName(NameKind.DIRECTORY, directory.rfc4514_string())
        case x509.OtherName():
            try:
                (found,) = general_names.decode_san(
                    x509.SubjectAlternativeName([name]).public_bytes()
                )
            except (BadName, BadRequest):
                return None
            return found
    return None
