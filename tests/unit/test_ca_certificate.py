"""Whatever comes as a CA certificate is read or refused, never worse."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.wire import ca_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Root")])
START = datetime(2027, 1, 1, tzinfo=UTC)
ROOT = (
    x509.CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .public_key(KEY.public_key())
    .serial_number(0xABC)
    .not_valid_before(START)
    .not_valid_after(START + timedelta(days=9))
    .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    .add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.DER)
)


def test_reads_what_matters() -> None:
    decoded = ca_certificate.decode(ROOT)
    assert decoded.subject.text == "CN=Root"
    assert decoded.serial == "abc"
    assert (decoded.is_ca, decoded.path_length) == (True, 1)
    assert decoded.not_before == int(START.timestamp())
    expected = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()).digest
    assert decoded.key_identifier == expected
    assert decoded.signed_by(decoded)
    assert decoded.self_issued


@given(st.binary())
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    with pytest.raises(BadRequest):
        ca_certificate.decode(data)


@given(st.data())
def test_nor_for_a_damaged_certificate(data: st.DataObject) -> None:
    damaged = bytearray(ROOT)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        decoded = ca_certificate.decode(bytes(damaged))
    except BadRequest:
        return
    assert decoded.signed_by(decoded) is (bytes(damaged) == ROOT)
