"""Signatures on OCSP requests: ignored, verified or demanded, by each authority's choice."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import ocsp as asn1
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from ocsp_asking import change, request, wait

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.certificate import CertificateRecord, CertificateStatus
from chancery.domain.identity import SYSTEM
from chancery.domain.status import OcspPolicy, SignedRequests
from chancery.protocols.ocsp import OcspHandler
from chancery.protocols.ocsp.quick import OcspQuick
from chancery.services.authority import Extensions, NewAuthority
from services.pki import House, operator, signer

Key = ec.EllipticCurvePrivateKey
STATUS = ocsp.OCSPResponseStatus


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("signed")
    with signer(directory) as vault:
        house = House(directory, vault)
        house.authorities.create(
            SYSTEM,
            NewAuthority(
                "issuing", "lab", "CN=issuing", key_algorithm=KeyAlgorithm.EC_P256,
                extensions=Extensions(days=900),
            ),
        )  # fmt: skip
        house.status.desk.open(lambda told: [then(answer) for then, answer in told] and None)
        wait(lambda: house.status.desk.sees)
        yield house
        house.status.desk.close()
        house.close()


@pytest.fixture(scope="module")
def asker(house: House) -> tuple[CertificateRecord, Key]:
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return house.leaf("issuing", "asker.example.org", spki=spki), key


def signed(data: bytes, certificate: bytes | None, key: Key) -> bytes:
    """The request with a signature on it, as RFC 6960 §4.1.1 has it."""
    whole = asn1.OCSPRequest.load(data)
    tbs = whole["tbs_request"]
    name = asn1_x509.GeneralName("directory_name", asn1_x509.Name.build({"common_name": "asker"}))
    tbs["requestor_name"] = name
    made = key.sign(tbs.dump(force=True), ec.ECDSA(hashes.SHA256()))
    fields = {"signature_algorithm": {"algorithm": "sha256_ecdsa"}, "signature": made}
    if certificate is not None:
        fields["certs"] = [asn1_x509.Certificate.load(certificate)]
    return bytes(asn1.OCSPRequest({"tbs_request": tbs, "optional_signature": fields}).dump())


def choose(house: House, requests: SignedRequests) -> None:
    house.status.ocsp_policies.put(operator(), "issuing", OcspPolicy(requests=requests))
    house.status._index.forget()
    house.status._index.refresh()


def status(house: House, data: bytes) -> ocsp.OCSPResponseStatus:
    handler = OcspHandler(house.status, house.clock)
    _, _, body = handler.handle("POST", "/issuing", data, "application/ocsp-request")
    return ocsp.load_der_ocsp_response(body).response_status


Make = Callable[[House, bytes, bytes, Key], bytes]


def stranger(house: House, data: bytes, certificate: bytes, key: Key) -> bytes:
    """Signed well, by a certificate that says our CA issued it."""
    now = datetime.now(UTC).replace(microsecond=0)
    ca = x509.load_der_x509_certificate(house.status.authority_certificate("issuing"))
    ski = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    made = (
        x509.CertificateBuilder()
        .subject_name(ca.subject)
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return signed(data, made.public_bytes(Encoding.DER), key)


BAD: dict[str, Make] = {
    "no certificate": lambda _h, data, _c, key: signed(data, None, key),
    "another key": lambda _h, data, c, _k: signed(data, c, ec.generate_private_key(ec.SECP256R1())),
    "a stranger": stranger,
}


def test_by_choice(house: House, asker: tuple[CertificateRecord, Key]) -> None:
    record, key = asker
    plain = request(house, record.serial)
    good = signed(plain, record.der, key)
    for requests, unsigned in (
        (SignedRequests.IGNORE, STATUS.SUCCESSFUL),
        (SignedRequests.VERIFY, STATUS.SUCCESSFUL),
        (SignedRequests.REQUIRE, STATUS.SIG_REQUIRED),
    ):
        choose(house, requests)
        assert status(house, plain) is unsigned
        assert status(house, good) is STATUS.SUCCESSFUL
        for name, make in BAD.items():
            expected = requests is SignedRequests.IGNORE
            found = status(house, make(house, plain, record.der, key))
            assert found is (STATUS.SUCCESSFUL if expected else STATUS.UNAUTHORIZED), name


def test_a_signer_that_is_held_may_not_ask(
    house: House, asker: tuple[CertificateRecord, Key]
) -> None:
    record, key = asker
    good = signed(request(house, record.serial), record.der, key)
    choose(house, SignedRequests.VERIFY)
    change(house, record, CertificateStatus.HELD)
    assert status(house, good) is STATUS.UNAUTHORIZED
    change(house, record, CertificateStatus.VALID)
    assert status(house, good) is STATUS.SUCCESSFUL
    house.clock.ahead_s = 400 * 86_400
    try:
        assert status(house, good) is STATUS.UNAUTHORIZED
    finally:
        house.clock.ahead_s = 0


def test_where_signatures_are_required_memory_answers_nobody(house: House) -> None:
    """What was kept from before the choice, too: within the two seconds that a choice takes."""
    choose(house, SignedRequests.IGNORE)
    quick = OcspQuick(house.status.desk, house.clock)
    data = request(house, house.leaf("issuing", "kept.example.org").serial)
    wait(lambda: isinstance(quick.answer(b"/ocsp", data, lambda _: None), bytes))
    house.status.ocsp_policies.put(
        operator(), "issuing", OcspPolicy(requests=SignedRequests.REQUIRE)
    )
    wait(lambda: quick.answer(b"/ocsp", data, lambda _: None) is False, 4)
    choose(house, SignedRequests.IGNORE)


@pytest.mark.parametrize("cut", range(1, 12))
def test_what_is_broken_is_malformed(
    house: House, asker: tuple[CertificateRecord, Key], cut: int
) -> None:
    record, key = asker
    choose(house, SignedRequests.VERIFY)
    good = bytearray(signed(request(house, record.serial), record.der, key))
    good[-cut * len(good) // 13] ^= 0x55
    assert status(house, bytes(good)) in (
        STATUS.MALFORMED_REQUEST,
        STATUS.UNAUTHORIZED,
        STATUS.SUCCESSFUL,  # an octet of the certificate that nobody reads here
    )
    choose(house, SignedRequests.IGNORE)
