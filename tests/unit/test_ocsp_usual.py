"""The quick reader of OCSP requests against the whole one: the same, or nothing."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as pyca
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.wire import ocsp
from chancery.wire.ocsp_usual import _taken_apart, take_apart

SERIALS = st.integers(1, (1 << 159) - 1) | st.sampled_from([1, 0x7F, 0x80, 0xFF, 0x8000])
DIGESTS = st.sampled_from([hashes.SHA1(), hashes.SHA256()])
NONCES = st.none() | st.binary(min_size=1, max_size=128)


def request(serial: int, digest: hashes.HashAlgorithm, nonce: bytes | None) -> bytes:
    builder = pyca.OCSPRequestBuilder().add_certificate_by_hash(
        b"n" * digest.digest_size, b"k" * digest.digest_size, serial, digest
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


@given(SERIALS, DIGESTS, NONCES)
def test_what_pyca_writes_is_usual(
    serial: int, digest: hashes.HashAlgorithm, nonce: bytes | None
) -> None:
    data = request(serial, digest, nonce)
    found = take_apart(data)
    assert found is not None
    whole = ocsp.decode_request(data)
    assert (found.cert_id, found.serial) == (whole.cert_ids[0].raw, whole.cert_ids[0].serial)
    assert found.nonce == whole.nonce
    assert found.issuer in found.cert_id


@given(SERIALS, DIGESTS, NONCES, st.data())
def test_a_damaged_one_is_never_read_otherwise(
    serial: int, digest: hashes.HashAlgorithm, nonce: bytes | None, data: st.DataObject
) -> None:
    damaged = bytearray(request(serial, digest, nonce))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = take_apart(bytes(damaged))
    if found is None:
        return
    whole = ocsp.decode_request(bytes(damaged))  # what the quick one takes, the whole one takes
    assert [c.raw for c in whole.cert_ids] == [found.cert_id]
    assert (whole.cert_ids[0].serial, whole.nonce) == (found.serial, found.nonce)


@given(SERIALS, SERIALS, DIGESTS, NONCES, st.data())
def test_a_shape_seen_before_is_read_as_if_it_were_new(
    first: int, second: int, digest: hashes.HashAlgorithm, nonce: bytes | None, data: st.DataObject
) -> None:
    take_apart(request(first, digest, nonce))
    other = nonce and data.draw(st.binary(min_size=len(nonce), max_size=len(nonce)))
    octets = bytearray(request(second, digest, other))
    for _ in range(data.draw(st.integers(0, 2))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    assert take_apart(bytes(octets)) == _taken_apart(bytes(octets))


@given(st.binary(max_size=200))
def test_nothing_else_is_usual(data: bytes) -> None:
    if take_apart(data) is not None:
        ocsp.decode_request(data)


@pytest.mark.parametrize("size", [0, 129])
def test_bad_lengths_of_nonces_are_for_the_whole_reader(size: int) -> None:
    data = request(77, hashes.SHA1(), b"x" * size)
    assert take_apart(data) is None
    with pytest.raises(BadRequest) as caught:
        ocsp.decode_request(data)
    assert caught.value.rule == "ocsp.nonce"
