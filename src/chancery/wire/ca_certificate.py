"""CA certificates, read: what an authority must know of its own and of others' (RFC 5280 §4).

Bytes in, values out.  No I/O, no clock, no settings.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadCSR, BadRequest
from chancery.domain.names import DistinguishedName
from chancery.wire import algorithms, der, names

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the X.509 loaders raise for certificates and CRLs that they cannot read."""

_BASIC_CONSTRAINTS = "2.5.29.19"
_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"

_LIMIT = 64 * 1024
"""Octets of one certificate; an ML-DSA-87 one with policies has about 8,000."""


@dataclass(frozen=True, slots=True)
class CaCertificate:
    """A decoded certificate.  Names are DER, times Unix seconds, *serial* lower-case hex.

    *key_identifier* is the subjectKeyIdentifier, or, where there is none, the
    SHA-1 of the key bits (RFC 5280 §4.2.1.2 method 1), as others compute it.
    *key_usage* is None where the extension is absent.
    """

    der: bytes
    tbs: bytes
    subject: DistinguishedName
    subject_der: bytes
    issuer: DistinguishedName
    issuer_der: bytes
    serial: str
    spki: bytes
    key_bits: bytes
    key_identifier: bytes
    authority_key_identifier: bytes | None
    not_before: int
    not_after: int
    is_ca: bool
    path_length: int | None
    signs_certificates: bool
    signs_crls: bool
    signature_algorithm: SignatureAlgorithm
    signature: bytes

    @property
    def self_issued(self) -> bool:
        return self.subject_der == self.issuer_der

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest()

    def signed_by(self, issuer: "CaCertificate") -> bool:
        """Whether *issuer*'s key made this signature, and its name stands in here."""
        if self.issuer_der != issuer.subject_der:
            return False
        try:
            algorithms.verify(issuer.spki, self.signature_algorithm, self.signature, self.tbs)
        except BadRequest:
            return False
        return True


def key_bits(spki: bytes) -> bytes:
    """The content of subjectPublicKey without tag, length and unused bits: what is hashed."""
    reader = der.Reader(spki).enter(der.SEQUENCE)
    reader.read(der.SEQUENCE)
    return der.decode_bit_string(reader.content(der.BIT_STRING))[0]


def decode(data: bytes) -> CaCertificate:
    """Read one DER certificate, CA or not; BadRequest if it is none."""
    if len(data) > _LIMIT:
        raise BadRequest(f"a certificate is at most {_LIMIT} octets", field="certificate")
    tbs, identifier_der, signature = _signed(data)
    algorithm, issuer_der, subject_der, spki = fields(tbs)
    # RFC 5280 §4.1.1.2: the outer identifier is not signed, so it must repeat the inner one.
    if algorithms.signature_algorithm_of(identifier_der) is not algorithm:
        raise BadRequest(
            "its two signature algorithms differ", field="certificate", rule="certificate.algorithm"
        )
    try:
        parsed = x509.load_der_x509_certificate(data)
        extensions = {extension.oid: extension.value for extension in parsed.extensions}
        begins, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        serial = parsed.serial_number
    except UNREADABLE as error:
        raise BadRequest(
            f"not a certificate: {error}", field="certificate", rule="certificate.syntax"
        ) from error
    bits = key_bits(spki)
    constraints = extensions.get(x509.BasicConstraints.oid)
    usage = extensions.get(x509.KeyUsage.oid)
    identifier = extensions.get(x509.SubjectKeyIdentifier.oid)
    authority = extensions.get(x509.AuthorityKeyIdentifier.oid)
    is_ca = isinstance(constraints, x509.BasicConstraints) and constraints.ca
    return CaCertificate(
        der=data,
        tbs=tbs,
        subject=names.decode_name(subject_der),
        subject_der=subject_der,
        issuer=names.decode_name(issuer_der),
        issuer_der=issuer_der,
        serial=f"{serial:x}",
        spki=spki,
        key_bits=bits,
        key_identifier=(
            identifier.digest
            if isinstance(identifier, x509.SubjectKeyIdentifier)
            else hashlib.sha1(bits, usedforsecurity=False).digest()
        ),
        authority_key_identifier=(
            authority.key_identifier if isinstance(authority, x509.AuthorityKeyIdentifier) else None
        ),
        not_before=int(begins.timestamp()),
        not_after=int(ends.timestamp()),
        is_ca=is_ca,
        path_length=(
            constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None
        ),
        signs_certificates=not isinstance(usage, x509.KeyUsage) or usage.key_cert_sign,
        signs_crls=not isinstance(usage, x509.KeyUsage) or usage.crl_sign,
        signature_algorithm=algorithm,
        signature=signature,
    )


def purposes(data: bytes) -> frozenset[str] | None:
    """The dotted OIDs that bound what is below this CA; None where nothing does."""
    try:
        listed = x509.load_der_x509_certificate(data).extensions.get_extension_for_class(
            x509.ExtendedKeyUsage
        )
    except x509.ExtensionNotFound:
        return None
    found = frozenset(oid.dotted_string for oid in listed.value)
    return None if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string in found else found


def requested_identifier(requested: Iterable[tuple[str, bool, bytes]]) -> bytes | None:
    """The subjectKeyIdentifier that a CSR's extensions ask for."""
    for oid, _, value in requested:
        if oid == _SUBJECT_KEY_IDENTIFIER:
            return der.single(value, der.OCTET_STRING)[1]
    return None


def check_asks_for_ca(requested: Iterable[tuple[str, bool, bytes]]) -> None:
    """Raise BadCSR unless a CSR's extensions ask for basicConstraints with CA:TRUE.

    *requested* are (OID, critical, DER value).  Whoever made a request for a
    server's certificate did not ask to become a CA, and must not become one.
    """
    for oid, _, value in requested:
        if oid == _BASIC_CONSTRAINTS:
            flag = der.Reader(value).enter(der.SEQUENCE).optional(der.BOOLEAN)
            if flag is not None and der.decode_boolean(flag):
                return
    raise BadCSR(
        "this CSR does not ask to become a CA",
        field="csr",
        rule="csr.ca",
        remedy="it must carry basicConstraints with CA:TRUE, as `chancery ca csr` writes it",
    )


def fields(tbs: bytes) -> tuple[SignatureAlgorithm, bytes, bytes, bytes]:
    """(signature algorithm, issuer, subject, subjectPublicKeyInfo), raw, of a TBSCertificate."""
    reader = der.Reader(tbs).enter(der.SEQUENCE)
    reader.optional(0xA0)  # version, absent from version 1
    if der.decode_integer(reader.content(der.INTEGER)) <= 0:
        raise BadRequest(
            "a serial number is positive", field="certificate", rule="certificate.serial"
        )
    _, _, algorithm = reader.read(der.SEQUENCE)
    _, _, issuer = reader.read(der.SEQUENCE)
    reader.read(der.SEQUENCE)
    _, _, subject = reader.read(der.SEQUENCE)
    _, _, spki = reader.read(der.SEQUENCE)
    return algorithms.signature_algorithm_of(algorithm), issuer, subject, spki


def _signed(data: bytes) -> tuple[bytes, bytes, bytes]:
    """(TBSCertificate, AlgorithmIdentifier, signature) of a Certificate."""
    outer = der.Reader(data)
    reader = outer.enter(der.SEQUENCE)
    outer.finish()
    _, _, tbs = reader.read(der.SEQUENCE)
    _, _, identifier = reader.read(der.SEQUENCE)
    signature, unused = der.decode_bit_string(reader.content(der.BIT_STRING))
    reader.finish()
    if unused:
        raise BadRequest(
            "a signature is whole octets", field="certificate", rule="certificate.signature"
        )
    return tbs, identifier, signature
