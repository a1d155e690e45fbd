"""Certificates in a PKCS#7 SignedData without a signature (RFC 5652 §5.1): ``.p7b``, ``.p7c``."""

from collections.abc import Sequence
from typing import Final

from cryptography import x509

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import der, pem

MAX_OCTETS: Final = 4 * 1024 * 1024
MAX_CERTIFICATES: Final = 500

_P7_LABELS: Final = ("PKCS7", "CMS", "PKCS #7 SIGNED DATA")
_CERTIFICATE_LABELS: Final = ("CERTIFICATE", "X509 CERTIFICATE")
_SIGNED_DATA: Final = der.oid("1.2.840.113549.1.7.2")
_DATA: Final = der.oid("1.2.840.113549.1.7.1")
_CONTEXT_0: Final = 0xA0


def certs_only(ders: Sequence[bytes]) -> bytes:
    """DER ContentInfo that holds these DER certificates and nothing else.

    The certificates are a SET, so their order is DER's, not the caller's:
    readers must build the chain from the names in it.
    """
    certificates = der.implicit(0, b"".join(sorted(ders)), constructed=True)
    signed_data = der.sequence(
        der.integer(1),
        der.set_of(),  # no digest algorithms
        der.sequence(_DATA),  # no content
        certificates,
        der.set_of(),  # no signers
    )
    return der.sequence(_SIGNED_DATA, der.explicit(0, signed_data))


def certificates(data: bytes) -> list[bytes]:
    """Read the DER certificates of a PKCS#7 file, a PEM bundle, or one certificate.

    PEM or DER, in the order they stand; at least one.  Signatures in the
    file are ignored: a certificate proves itself.  Raises BadRequest; TooLarge.
    """
    if len(data) > MAX_OCTETS:
        raise TooLarge(
            f"{len(data)} octets of certificates; at most {MAX_OCTETS} are read",
            field="certificates",
            rule="pkcs7.size",
        )
    if pem.is_der(data):
        blocks = [bytes(data)]
    else:
        labels = _P7_LABELS + _CERTIFICATE_LABELS
        blocks = [block for _, block in pem.decode_all(data, labels, MAX_OCTETS)]
    found: list[bytes] = []
    for block in blocks:
        found += _unwrap(block) if _is_content_info(block) else [block]
        if len(found) > MAX_CERTIFICATES:
            raise TooLarge(
                f"more than {MAX_CERTIFICATES} certificates",
                field="certificates",
                rule="pkcs7.count",
            )
    for certificate in found:
        _check(certificate)
    if not found:
        raise _bad("it holds no certificate", "pkcs7.empty")
    return found


def _is_content_info(block: bytes) -> bool:
    """A ContentInfo begins with an OID, a certificate with its TBSCertificate, a SEQUENCE."""
    _, at, end = der.header(block, 0, len(block))
    return at < end and block[at] == der.OID


def _unwrap(block: bytes) -> list[bytes]:
    outer = der.Reader(der.single(block, der.SEQUENCE)[1])
    _, _, kind = outer.read(der.OID)
    if kind != _SIGNED_DATA:
        raise _bad("its content is not SignedData", "pkcs7.content")
    signed_data = outer.enter(_CONTEXT_0).enter(der.SEQUENCE)
    signed_data.content(der.INTEGER)
    signed_data.content(der.SET)
    signed_data.content(der.SEQUENCE)
    choices = der.Reader(signed_data.optional(_CONTEXT_0) or b"")
    found: list[bytes] = []
    while choices:
        tag, _, raw = choices.read()
        # Other choices are attribute certificates and long dead forms (RFC 5652 §10.2.2).
        if tag == der.SEQUENCE:
            found.append(raw)
    return found


def _check(certificate: bytes) -> None:
    try:
        x509.load_der_x509_certificate(certificate)
    except (ValueError, x509.InvalidVersion) as error:
        raise _bad("a certificate in it cannot be read", "pkcs7.certificate") from error


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        f"not a usable file of certificates: {what}",
        field="certificates",
        rule=rule,
        remedy="send PEM certificates, or the output of openssl crl2pkcs7 -nocrl",
    )
