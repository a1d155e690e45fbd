"""CMS and SCEP messages: what real clients sent, and what nobody should."""

import os

import pytest
import scep_client as c
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.domain.keys import KeyTransport
from chancery.wire import ber, cms, cms_writing, der, pkcs10, scep
from chancery.wire import cms_algorithms as alg

RA_KEY = c.key("ra")
RA = (c.VECTORS / "ra.crt.der").read_bytes()
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "h")])
# Two keys are enough: the RA of the vectors is a client here.
CLIENT_KEY = c.key("certmonger-ra")
CLIENT = c.self_signed(CLIENT_KEY, SUBJECT)


def vector(name: str) -> cms.Signed:
    signed = cms.read_signed((c.VECTORS / f"{name}.der").read_bytes())
    signed.verify(signed.signer())
    return signed


@pytest.mark.parametrize(
    ("name", "ra", "cipher", "challenge"),
    [
        ("strongswan", "ra", alg.ContentCipher.AES_128, "OTP-1"),
        ("certmonger", "certmonger-ra", alg.ContentCipher.AES_256, "OTP"),
    ],
)
def test_reads_what_real_clients_sent(
    name: str, ra: str, cipher: alg.ContentCipher, challenge: str
) -> None:
    signed = vector(name)
    assert signed.digest is alg.Digest.SHA256
    whole = scep.attributes(signed).demand()
    assert whole.kind == scep.Kind.PKCS_REQ
    envelope = cms.read_enveloped(signed.content)
    assert envelope.encryption.cipher is cipher
    certificate = (c.VECTORS / f"{ra}.crt.der").read_bytes()
    csr = pkcs10.decode(c.unwrap(signed.content, c.key(ra), certificate))
    pkcs10.check_signature(csr)
    assert csr.challenge_password == challenge
    assert csr.spki == signed.signer().spki


def test_reads_ber_and_says_what_it_does_not_take() -> None:
    signed = vector("scepclient")
    assert signed.digest is alg.Digest.SHA1
    envelope = cms.read_enveloped(signed.content)
    assert len(envelope.encrypted) % 8 == 0  # it came in pieces
    with pytest.raises(BadRequest, match="single DES") as refused:
        _ = envelope.encryption
    assert refused.value.rule == "cms.algorithm.cipher"


@pytest.mark.parametrize("transport", KeyTransport)
@pytest.mark.parametrize("cipher", alg.ContentCipher)
def test_what_is_enveloped_comes_out_again(
    transport: KeyTransport, cipher: alg.ContentCipher
) -> None:
    made = cms_writing.enveloped(
        b"content", cms.read_certificate(RA), transport, cipher, os.urandom
    )
    assert cms.read_enveloped(made).recipients[0].transport is transport
    assert c.unwrap(made, RA_KEY, RA) == b"content"


@pytest.mark.parametrize("digest", alg.Digest)
def test_an_answer_says_what_it_should(digest: alg.Digest) -> None:
    client = c.Client(CLIENT_KEY, CLIENT, RA)
    ours = c.Client(RA_KEY, RA, RA, digest=digest)
    content = cms_writing.enveloped(
        b"x", cms.read_certificate(CLIENT), KeyTransport.PKCS1, client.cipher, os.urandom
    )
    answer = scep.Answer(scep.Status.SUCCESS, "T1", client.nonce, content)
    made = scep.cert_rep(answer, cms.read_certificate(RA), digest, ours.sign, bytes(16))
    reply = client.read(made)
    assert (reply.status, reply.fail, reply.transaction) == ("0", None, "T1")
    assert reply.content == b"x"
    refused = scep.Answer(
        scep.Status.FAILURE, "T1", client.nonce, None, scep.FailInfo.BAD_ALG, "no " * 200
    )
    made = scep.cert_rep(refused, cms.read_certificate(RA), digest, ours.sign, bytes(16))
    assert client.read(made).fail == "0"


def test_a_message_changed_on_its_way_does_not_verify() -> None:
    message = c.Client(CLIENT_KEY, CLIENT, RA).message(19, b"csr")
    content = cms.read_signed(message).content
    for old, new in (
        (content, bytes(len(content))),
        (b"T1", b"T2"),
        (b"\x13\x0219", b"\x13\x0217"),
    ):
        changed = cms.read_signed(message.replace(old, new, 1))
        with pytest.raises(BadRequest):
            changed.verify(changed.signer())


def doubled(number: str) -> bytes:
    def change(attributes: list[c.Attribute]) -> list[c.Attribute]:
        return attributes + [one for one in attributes if one[0] == c.ARC + number]

    return c.Client(CLIENT_KEY, CLIENT, RA).message(19, b"", change=change)


def without(number: str) -> bytes:
    def change(attributes: list[c.Attribute]) -> list[c.Attribute]:
        return [one for one in attributes if one[0] != c.ARC + number]

    return c.Client(CLIENT_KEY, CLIENT, RA).message(19, b"", change=change)


@pytest.mark.parametrize("make", [doubled, without])
@pytest.mark.parametrize("number", ["2", "5", "7"])
def test_an_attribute_missing_or_doubled_is_refused(make: object, number: str) -> None:
    signed = cms.read_signed(make(number))  # type: ignore[operator]
    with pytest.raises(BadRequest) as refused:
        scep.attributes(signed).demand()
    assert refused.value.rule == "scep.attributes"


@pytest.mark.parametrize("kind", ["019", "+19", " 19", "1 9", "", "19\0", "٣", "100"])
def test_a_message_type_has_one_spelling(kind: str) -> None:
    def change(attributes: list[c.Attribute]) -> list[c.Attribute]:
        return [(c.ARC + "2", der.tlv(der.UTF8_STRING, kind.encode())), *attributes[1:]]

    message = c.Client(CLIENT_KEY, CLIENT, RA).message(19, b"", change=change)
    assert scep.attributes(cms.read_signed(message)).kind is None


BOMBS = {
    "nested": b"\x30\x80" * 100_000,
    "nested and closed": b"\x30\x80" * 30 + b"\0\0" * 30,
    "long": b"\x30\x84\x06\x40\x00\x00" + bytes(64),
    "longer": b"\x30\x88" + b"\xff" * 8,
    "pieces": der.tlv(der.SEQUENCE, der.oid(cms.SIGNED_DATA) + b"\xa0\x80" + b"\x24\x80" * 9),
    "values": der.tlv(der.SEQUENCE, b"\x30\x80" + b"\x05\x00" * 50_000 + b"\0\0"),
    "empty": b"",
    "text": b"MIIJvQYJKoZIhvcNAQcCoII",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_bombs_do_not_go_off(bomb: bytes) -> None:
    for read in (cms.read_signed, cms.read_enveloped, cms.read_certificate):
        with pytest.raises(BadRequest):
            read(bomb)


def test_an_octet_string_in_many_pieces_costs_no_more_than_the_budget() -> None:
    pieces = b"\x04\x01x" * 1000
    assert ber.Reader(der.tlv(0x24, pieces)).octets() == b"x" * 1000
    with pytest.raises(BadRequest, match="too many"):
        ber.Reader(der.tlv(0x24, pieces * 30)).octets()
    with pytest.raises(BadRequest, match="deep"):
        ber.Reader(b"\x24\x80" * 60 + b"\0\0" * 60).octets()


MESSAGES = [(c.VECTORS / f"{n}.der").read_bytes() for n in ("strongswan", "scepclient")]


@given(
    st.sampled_from(MESSAGES),
    st.lists(st.tuples(st.integers(0, 2447), st.binary(min_size=1, max_size=4)), max_size=4),
)
def test_never_fails_in_an_unplanned_way(message: bytes, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(message)
    for at, octets in changes:
        data[at : at + len(octets)] = octets
    try:
        signed = cms.read_signed(bytes(data))
        scep.attributes(signed)
        cms.read_enveloped(signed.content)
        signed.verify(signed.signer())
    except BadRequest:
        pass


def test_attributes_that_were_signed_in_order_and_sent_in_another_verify() -> None:
    """RFC 5652 §5.4: DER is what is signed, whatever order is sent."""
    message = c.Client(CLIENT_KEY, CLIENT, RA).message(19, b"csr")
    signed = cms.read_signed(message)
    reader = ber.Reader(der.single(signed.attributes_der, der.SET)[1])
    parts = []
    while reader:
        parts.append(reader.raw())
    turned = b"".join(reversed(parts))
    sent = cms.read_signed(message.replace(b"".join(parts), turned))
    assert sent.attributes_der == der.tlv(der.SET, turned)
    sent.verify(sent.signer())
