"""CMP messages of OpenSSL, read; what we write, read again; what is neither, refused."""

import hashlib
import hmac
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import BadCSR, BadRequest, CAError, TooLarge
from chancery.protocols.cmp.signing import sign, spki
from chancery.wire import ca_certificate, cmp, cmp_bodies, cmp_mac, crmf, der, pkcs10, possession
from chancery.wire.cmp_kinds import Body
from chancery.wire.names import parse_text

VECTORS = Path(__file__).parents[2] / "vectors" / "cmp"
MESSAGES = {path.stem: path.read_bytes() for path in VECTORS.glob("*.der")}
SECRET = b"PW12345678"
KINDS = {
    "ir": Body.IR,
    "ir-no-popo": Body.IR,
    "ir-vouched": Body.IR,
    "p10cr": Body.P10CR,
    "kur": Body.KUR,
    "rr": Body.RR,
    "genm": Body.GENM,
}


def test_every_vector_is_known() -> None:
    assert set(MESSAGES) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_reads_and_writes_what_openssl_writes(name: str) -> None:
    message = cmp.decode(MESSAGES[name])
    assert message.kind is KINDS[name]
    assert cmp.encode(message) == MESSAGES[name]
    assert cmp.message(message.header, message.kind, message.content).protected == (
        message.protected
    )
    assert len(message.header.sender_nonce or b"") == len(message.header.transaction or b"") == 16


@pytest.mark.parametrize("name", ["ir", "p10cr"])
def test_its_mac_is_ours(name: str) -> None:
    message = cmp.decode(MESSAGES[name])
    identifier = message.header.protection or b""
    method = cmp_mac.decode(identifier)
    assert (method.kind, method.iterations, method.derivation) == (cmp_mac.Kind.PBM, 500, "sha256")
    assert method.over(method.key(SECRET), message.protected) == message.protection
    assert method.over(method.key(b"another"), message.protected) != message.protection
    assert cmp_mac.decode(cmp_mac.encode(method)) == method


@pytest.mark.parametrize("name", ["kur", "rr", "genm"])
def test_its_signature_verifies(name: str) -> None:
    message = cmp.decode(MESSAGES[name])
    signer = x509.load_der_x509_certificate(message.certificates[0])
    possession.check(
        signer.public_key(),
        message.header.protection or b"",
        message.protection or b"",
        message.protected,
    )


def test_a_request_in_crmf_says_what_one_in_pkcs10_says() -> None:
    message = cmp.decode(MESSAGES["ir"])
    assert message.header.has(cmp.IMPLICIT_CONFIRM)
    request = cmp_bodies.requests(message.content)
    assert crmf.is_message(request)
    csr = pkcs10.decode(request)
    pkcs10.check_signature(csr)
    assert csr.subject.text == "O=Y,CN=x"
    assert [name.text for name in csr.names] == ["dns:x.example", "ip:10.0.0.1"]
    assert csr.der == request
    read = crmf.decode_message(request)
    assert read.template.not_after is not None
    assert read.template.not_before is not None
    assert round((read.template.not_after - read.template.not_before) / 86_400) == 30
    assert not crmf.is_message(cmp.decode(MESSAGES["p10cr"]).content)


@pytest.mark.parametrize("name", ["ir-no-popo", "ir-vouched"])
def test_a_request_without_a_signature_proves_nothing(name: str) -> None:
    request = cmp_bodies.requests(cmp.decode(MESSAGES[name]).content)
    read = crmf.decode_message(request)
    assert read.proof is None
    assert read.vouched is (name == "ir-vouched")
    with pytest.raises(BadCSR, match=r"1\.3\.6\.1\.5\.5\.7\.6\.2"):
        pkcs10.check_signature(pkcs10.decode(request))


def test_an_update_names_its_certificate() -> None:
    message = cmp.decode(MESSAGES["kur"])
    read = crmf.decode_message(cmp_bodies.requests(message.content))
    issuer, serial = crmf.old_certificate(read.control(crmf.OLD_CERTIFICATE) or b"")
    old = ca_certificate.decode(message.certificates[0])
    assert (issuer, f"{serial:x}") == (old.issuer_der, old.serial)
    ours = der.Reader(crmf.update_of(issuer, serial)).enter(der.SEQUENCE).enter(der.SEQUENCE)
    ours.content(der.OID)
    assert ours.read()[2] == read.control(crmf.OLD_CERTIFICATE)


def test_a_revocation_names_its_certificate() -> None:
    message = cmp.decode(MESSAGES["rr"])
    wish = cmp_bodies.revocations(message.content)
    old = ca_certificate.decode(message.certificates[0])
    assert wish.template.serial == int(old.serial, 16)
    assert wish.template.issuer == old.issuer_der
    assert wish.reason == 4
    again = cmp_bodies.revocations(cmp_bodies.encode_revocation(wish))
    assert (again.template.serial, again.reason) == (wish.template.serial, 4)


def own_request(change: bytes = b"") -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    template = crmf.Template(subject=parse_text("CN=x"), spki=spki(key))
    wanted = der.sequence(der.integer(0), crmf.encode_template(template))
    algorithm, signature = sign(key, wanted + change)
    proof = der.implicit(1, algorithm + der.bit_string(signature), constructed=True)
    return der.sequence(wanted, proof), key


def test_a_signature_over_something_else_proves_nothing() -> None:
    good, _ = own_request()
    pkcs10.check_signature(pkcs10.decode(good))
    bad, _ = own_request(b"x")
    with pytest.raises(BadCSR, match="does not verify"):
        pkcs10.check_signature(pkcs10.decode(bad))


def signed_input(*, other_key: bool = False) -> bytes:
    """A request without a subject, whose signature covers its sender and key."""
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    wanted = der.sequence(der.integer(0), crmf.encode_template(crmf.Template(spki=spki(key))))
    sender = der.explicit(0, der.implicit(2, b"x.example"))
    fields = sender + spki(other if other_key else key)
    algorithm, signature = sign(key, der.sequence(fields))
    given = der.implicit(0, fields, constructed=True)
    proof = given + algorithm + der.bit_string(signature)
    return der.sequence(wanted, der.implicit(1, proof, constructed=True))


def test_proof_over_sender_and_key() -> None:
    csr = pkcs10.decode(signed_input())
    assert csr.subject.text == ""
    pkcs10.check_signature(csr)
    with pytest.raises(BadCSR, match="another key"):
        pkcs10.decode(signed_input(other_key=True))


def test_a_signature_must_cover_subject_and_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = der.sequence(der.integer(0), crmf.encode_template(crmf.Template(spki=spki(key))))
    algorithm, signature = sign(key, wanted)
    proof = der.implicit(1, algorithm + der.bit_string(signature), constructed=True)
    with pytest.raises(BadCSR, match="covers neither"):
        pkcs10.decode(der.sequence(wanted, proof))


PBM = cmp_mac.Method(cmp_mac.Kind.PBM, bytes(16), 1000, "sha256", "sha1")
PBMAC1 = cmp_mac.Method(cmp_mac.Kind.PBMAC1, bytes(16), 1000, "sha256", "sha256", 32)


@pytest.mark.parametrize("method", [PBM, PBMAC1], ids=["pbm", "pbmac1"])
@pytest.mark.parametrize(
    "change",
    [
        {"iterations": 99},
        {"iterations": 100_001},
        {"iterations": 2**31},
        {"iterations": -1},
        {"salt": bytes(7)},
        {"salt": bytes(129)},
    ],
)
def test_the_cost_of_a_mac_is_bounded(method: cmp_mac.Method, change: dict[str, object]) -> None:
    assert cmp_mac.decode(cmp_mac.encode(method)) == method
    with pytest.raises(BadRequest):
        cmp_mac.decode(cmp_mac.encode(replace(method, **change)))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 15, 65, 2**31])
def test_the_key_of_a_pbmac1_has_a_stated_length(size: int) -> None:
    with pytest.raises(BadRequest):
        cmp_mac.decode(cmp_mac.encode(replace(PBMAC1, key_size=size)))


def test_pbmac1_is_the_one_of_rfc_9579() -> None:
    """PBKDF2 and HMAC are the library's; what could go wrong is which key goes where."""
    key = hashlib.pbkdf2_hmac("sha256", b"secret", bytes(16), 1000, 32)
    assert PBMAC1.key(b"secret") == key
    assert PBMAC1.over(key, b"data") == hmac.digest(key, b"data", "sha256")


def test_bodies_come_back_as_they_were() -> None:
    status = cmp_bodies.StatusInfo(2, "why not", (9, 23))
    response = cmp_bodies.CertificateResponse(-1, status)
    assert cmp_bodies.read_response(cmp_bodies.encode_response(response)) == response
    pair = replace(
        response,
        status=cmp_bodies.StatusInfo(0),
        certificate=der.sequence(der.NULL),
        key=der.sequence(der.integer(2)),
        issuers=(der.sequence(),),
    )
    assert cmp_bodies.read_response(cmp_bodies.encode_response(pair)) == pair
    one = cmp_bodies.Confirmation(b"hash", 0, status, der.sequence(der.oid("1.2.3")))
    assert cmp_bodies.confirmations(cmp_bodies.encode_confirmation(one)) == (one,)
    assert cmp_bodies.read_error(cmp_bodies.encode_error(status)) == status
    assert cmp_bodies.poll_ids(cmp_bodies.encode_poll(0)) == (0,)
    assert cmp_bodies.read_wait(cmp_bodies.encode_wait(0, 17, "later")) == 17
    revoked = cmp_bodies.encode_revoked(status, der.sequence(), 5)
    assert cmp_bodies.read_revoked(revoked) == status


BOMBS = {
    "nothing": b"",
    "indefinite": b"\x30\x80" * 50_000,
    "100 MB": b"\x30\x84\x06\x40\x00\x00\x30\x80",
    "deep": b"".join(b"\x30\x83" + (200_000 - 5 * n).to_bytes(3) for n in range(20_000)),
    "text": b"<html>",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_bombs(data: bytes) -> None:
    with pytest.raises(BadRequest):
        cmp.decode(data)
    assert not crmf.is_message(data)


def test_a_message_is_bounded() -> None:
    with pytest.raises(TooLarge):
        cmp.decode(bytes(cmp.MAX_MESSAGE + 1))
    header = cmp.Header(transaction=bytes(16))
    many = tuple(der.sequence() for _ in range(cmp.MAX_CERTIFICATES + 1))
    message = cmp.with_protection(cmp.message(header, Body.GENM, der.sequence()), b"x", many)
    with pytest.raises(BadRequest, match="more than 16"):
        cmp.decode(cmp.encode(message))
    infos = cmp.encode_info([cmp.Info("1.2.3")] * (cmp.MAX_INFO + 1))
    with pytest.raises(BadRequest, match="more than 32"):
        cmp.read_info(der.single(infos)[1])
    two = der.sequence(der.sequence(), der.sequence())
    with pytest.raises(BadRequest, match="more than one"):
        cmp_bodies.requests(two)


READERS = (
    cmp_bodies.requests,
    cmp_bodies.read_response,
    cmp_bodies.confirmations,
    cmp_bodies.revocations,
    cmp_bodies.read_revoked,
    cmp_bodies.read_error,
    cmp_bodies.poll_ids,
    cmp_bodies.read_wait,
    cmp_mac.decode,
    crmf.decode_message,
    crmf.decode,
    crmf.old_certificate,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(MESSAGES)), st.integers(0, 2**16), st.binary(max_size=4))
def test_never_fails_in_an_unplanned_way(name: str, at: int, change: bytes) -> None:
    data = bytearray(MESSAGES[name])
    at %= len(data)
    data[at : at + len(change)] = change
    try:
        message = cmp.decode(bytes(data))
    except CAError:
        return
    for reader in READERS:
        for part in (message.content, message.header.protection or b""):
            try:
                reader(part)
            except CAError:
                continue


def test_certificate_hashes() -> None:
    certificate = cmp.decode(MESSAGES["kur"]).certificates[0]
    digest = cmp_bodies.certificate_hash(certificate, None)
    sha512 = der.sequence(der.oid("2.16.840.1.101.3.4.2.3"))
    assert len(digest) == 32
    assert len(cmp_bodies.certificate_hash(certificate, sha512)) == 64
    with pytest.raises(BadRequest):
        cmp_bodies.certificate_hash(certificate, der.sequence(der.oid("1.2.3")))
