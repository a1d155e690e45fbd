"""OCSP as bytes, against pyca's and asn1crypto's encoders and decoders."""

from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import core
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as pyca
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import der, ocsp, ocsp_fast
from chancery.wire.crl import generalized_time

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Issuing")])
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
CERTIFICATE = (
    x509.CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .public_key(KEY.public_key())
    .serial_number(0x1234)
    .not_valid_before(NOW)
    .not_valid_after(NOW + timedelta(days=9))
    .sign(KEY, hashes.SHA256())
)
SHA1_SIZE, SHA256_SIZE = 20, 32


def request(
    serial: int = 77, digest: hashes.HashAlgorithm | None = None, nonce: bytes | None = None
) -> bytes:
    digest = digest or hashes.SHA1()
    builder = pyca.OCSPRequestBuilder().add_certificate_by_hash(
        b"n" * digest.digest_size, b"k" * digest.digest_size, serial, digest
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


@given(
    st.integers(0, (1 << 159) - 1),
    st.sampled_from([hashes.SHA1(), hashes.SHA256()]),
    st.none() | st.binary(min_size=1, max_size=128),
)
def test_reads_what_pyca_writes(
    serial: int, digest: hashes.HashAlgorithm, nonce: bytes | None
) -> None:
    decoded = ocsp.decode_request(request(serial, digest, nonce))
    (cert_id,) = decoded.cert_ids
    assert cert_id.serial == f"{serial:x}"
    assert cert_id.hash == digest.name
    assert cert_id.issuer_name_hash == b"n" * digest.digest_size
    assert cert_id.issuer_key_hash == b"k" * digest.digest_size
    expected = None if nonce is None else core.OctetString(nonce).dump()
    assert decoded.nonce == expected


def many(count: int) -> bytes:
    return asn1_ocsp.OCSPRequest(
        {
            "tbs_request": {
                "request_list": [
                    {
                        "req_cert": {
                            "hash_algorithm": {"algorithm": "sha1"},
                            "issuer_name_hash": b"n" * 20,
                            "issuer_key_hash": b"k" * 20,
                            "serial_number": number,
                        }
                    }
                    for number in range(count)
                ]
            }
        }
    ).dump()


def test_several_certificates_in_one_request() -> None:
    decoded = ocsp.decode_request(many(ocsp.MAX_CERT_IDS))
    assert [int(c.serial, 16) for c in decoded.cert_ids] == list(range(ocsp.MAX_CERT_IDS))
    with pytest.raises(TooLarge):
        ocsp.decode_request(many(ocsp.MAX_CERT_IDS + 1))
    with pytest.raises(BadRequest):
        ocsp.decode_request(many(0))


@pytest.mark.parametrize("size", [0, 129])
def test_a_nonce_of_another_length_is_malformed(size: int) -> None:
    """RFC 9654 §2.1."""
    with pytest.raises(BadRequest) as caught:
        ocsp.decode_request(request(nonce=b"x" * size))
    assert caught.value.rule == "ocsp.nonce"


def test_an_unknown_critical_extension_is_refused_and_an_uncritical_one_ignored() -> None:
    for critical in (True, False):
        parsed = asn1_ocsp.OCSPRequest.load(request())
        parsed["tbs_request"]["request_extensions"] = [
            {
                "extn_id": "1.2.3.4",
                "critical": critical,
                "extn_value": core.ParsableOctetString(b"\x05\x00"),
            }
        ]
        data = parsed.dump(force=True)
        if critical:
            with pytest.raises(BadRequest):
                ocsp.decode_request(data)
        else:
            assert ocsp.decode_request(data).nonce is None


def test_too_long_a_request_is_not_even_parsed() -> None:
    with pytest.raises(TooLarge):
        ocsp.decode_request(bytes(ocsp.MAX_REQUEST + 1))


@given(st.binary())
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    with pytest.raises(BadRequest):
        ocsp.decode_request(data)


@given(st.data())
def test_nor_for_a_damaged_request(data: st.DataObject) -> None:
    damaged = bytearray(request(nonce=b"n" * 16))
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    try:
        ocsp.decode_request(bytes(damaged))
    except BadRequest:
        return


@pytest.mark.parametrize("by", ["key", "name"])
@pytest.mark.parametrize("nonce", [None, b"n" * 32])
@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (None, pyca.OCSPCertStatus.GOOD),
        (RevokedEntry("4d", 1_800_000_000, RevocationReason.unspecified, None),
         pyca.OCSPCertStatus.REVOKED),
        (RevokedEntry("4d", 1_800_000_000, RevocationReason.keyCompromise, None),
         pyca.OCSPCertStatus.REVOKED),
    ],
)  # fmt: skip
def test_pyca_reads_what_was_written(
    by: str, nonce: bytes | None, entry: RevokedEntry | None, status: pyca.OCSPCertStatus
) -> None:
    decoded = ocsp.decode_request(request(0x4D, hashes.SHA256(), nonce))
    certificate = CERTIFICATE.public_bytes(Encoding.DER)
    who = ocsp.responder(
        certificate,
        SignatureAlgorithm.ECDSA_SHA256,
        by_key=b"h" * 20 if by == "key" else None,
        by_name=NAME.public_bytes() if by == "name" else None,
    )
    produced = generalized_time(int(NOW.timestamp()))
    ends = der.explicit(0, generalized_time(int(NOW.timestamp()) + 600))
    single = ocsp.single(
        decoded.cert_ids[0].raw,
        ocsp.GOOD if entry is None else ocsp.revoked(entry),
        this_update=produced,
        next_update=ends,
    )
    data = ocsp.response_data(who, produced, [single], decoded.nonce)
    answer = ocsp.response(who, data, KEY.sign(data, ec.ECDSA(hashes.SHA256())))

    response = pyca.load_der_ocsp_response(answer)
    assert response.response_status is pyca.OCSPResponseStatus.SUCCESSFUL
    assert response.certificate_status is status
    assert response.serial_number == 0x4D
    assert response.this_update_utc == response.produced_at_utc == NOW
    assert response.next_update_utc == NOW + timedelta(minutes=10)
    assert response.responder_key_hash == (b"h" * 20 if by == "key" else None)
    assert response.responder_name == (NAME if by == "name" else None)
    assert response.certificates == [CERTIFICATE]
    KEY.public_key().verify(
        response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256())
    )
    assert [e.value for e in response.extensions] == ([x509.OCSPNonce(nonce)] if nonce else [])
    if entry is not None:
        assert response.revocation_time_utc == datetime.fromtimestamp(entry.revoked_at, UTC)
        reason = response.revocation_reason
        assert (reason.value if reason else "unspecified") == entry.reason.name


@pytest.mark.parametrize("kind", ocsp.Failure)
def test_failures_are_unsigned(kind: ocsp.Failure) -> None:
    response = pyca.load_der_ocsp_response(ocsp.failure(kind))
    assert response.response_status.value == kind.value


@given(
    st.binary(min_size=70, max_size=120),
    st.sampled_from([ocsp.GOOD, ocsp.UNKNOWN, b"\xa1\x11" + bytes(17)]),
    st.sampled_from([b"", ocsp.archive_cutoff(1)]),
    st.none() | st.binary(min_size=3, max_size=131),
)
def test_one_join_is_what_is_built_from_the_inside_out(
    cert_id: bytes, status: bytes, extensions: bytes, nonce: bytes | None
) -> None:
    who = ocsp.responder(b"\x30\x00", SignatureAlgorithm.ECDSA_SHA256, by_key=bytes(20))
    produced, ends = generalized_time(1_800_000_000), der.tlv(0xA0, generalized_time(1_800_000_900))
    single = ocsp.single(
        cert_id, status, this_update=produced, next_update=ends, extensions=extensions
    )
    built = ocsp.response_data(who, produced, [single], nonce)
    joined = ocsp_fast.response_data(
        who.responder_id + produced, cert_id, status, produced + ends + extensions, nonce
    )
    assert joined == built
