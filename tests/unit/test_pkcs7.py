"""Certificates in PKCS#7, both ways."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import der, pem
from chancery.wire import pkcs7 as ours

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(KEY, hashes.SHA256())
    )


CHAIN = [certificate(f"authority {n}") for n in range(4)]
DERS = [c.public_bytes(Encoding.DER) for c in CHAIN]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_equals_what_another_library_writes(count: int) -> None:
    made = ours.certs_only(DERS[:count])
    assert made == pkcs7.serialize_certificates(CHAIN[:count], Encoding.DER)
    assert pkcs7.load_der_pkcs7_certificates(made) == sorted(
        CHAIN[:count], key=lambda c: c.public_bytes(Encoding.DER)
    )


@pytest.mark.parametrize("order", [DERS, DERS[::-1]])
def test_the_order_given_does_not_matter(order: list[bytes]) -> None:
    assert ours.certificates(ours.certs_only(order)) == sorted(DERS)


@pytest.mark.parametrize("label", ["PKCS7", "CMS", "PKCS #7 SIGNED DATA"])
def test_reads_pem_pkcs7(label: str) -> None:
    text = pem.encode(label, ours.certs_only(DERS))
    assert ours.certificates(text.encode()) == sorted(DERS)


def test_reads_a_bundle_in_its_order() -> None:
    text = "# the chain\r\n" + "".join(pem.encode("CERTIFICATE", c) for c in DERS)
    assert ours.certificates(text.encode()) == DERS


def test_reads_one_certificate() -> None:
    assert ours.certificates(DERS[0]) == [DERS[0]]


def signed_data(*fields: bytes) -> bytes:
    return der.sequence(
        der.oid("1.2.840.113549.1.7.2"), der.explicit(0, der.sequence(der.integer(1), *fields))
    )


DATA = der.sequence(der.oid("1.2.840.113549.1.7.1"))


def test_skips_attribute_certificates() -> None:
    """CertificateChoices [1] and [2] (RFC 5652 §10.2.2)."""
    other = der.implicit(2, b"\x02\x01\x01", constructed=True)
    made = signed_data(
        der.set_of(), DATA, der.implicit(0, other + DERS[0], constructed=True), der.set_of()
    )
    assert ours.certificates(made) == [DERS[0]]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "pem.missing"),
        (b"\x30\x00", "pkcs7.certificate"),
        (ours.certs_only([]), "pkcs7.empty"),
        (signed_data(der.set_of(), DATA, der.set_of()), "pkcs7.empty"),
        (der.sequence(der.oid("1.2.840.113549.1.7.1")), "pkcs7.content"),
        (DERS[0] + b"\x00", "pkcs7.certificate"),
        (ours.certs_only(DERS) + b"\x00", "der.trailing"),
        (ours.certs_only([b"\x30\x03\x02\x01\x01"]), "pkcs7.certificate"),
        (pem.encode("CERTIFICATE REQUEST", DERS[0]).encode(), "pem.label"),
        (pem.encode("PRIVATE KEY", DERS[0]).encode(), "pem.private-key"),
    ],
)
def test_refuses(data: bytes, rule: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ours.certificates(data)
    assert refused.value.rule == rule


def test_certificates_are_counted() -> None:
    with pytest.raises(TooLarge):
        ours.certificates(ours.certs_only([DERS[0]] * (ours.MAX_CERTIFICATES + 1)))
    with pytest.raises(TooLarge):
        ours.certificates(bytes(ours.MAX_OCTETS + 1))
