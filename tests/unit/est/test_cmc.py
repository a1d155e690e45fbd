"""CMC bodies: read from another implementation's writing, written for its reading."""

import pytest
from cmc_client import pki_data
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.der.decoder import decode
from pyasn1_alt_modules import rfc6402

from chancery.domain.errors import BadRequest, CAError
from chancery.wire import cmc, der

KEY = ec.generate_private_key(ec.SECP256R1())
CSR = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([]))
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.DER)
)
NONCE = der.octet_string(b"nonce")
DATA = pki_data(CSR, [(cmc.TRANSACTION_ID, der.integer(7)), (cmc.SENDER_NONCE, NONCE)])


def test_a_request_and_its_controls() -> None:
    found = cmc.read(DATA)
    assert found.requests == (cmc.Asked(1, CSR),)
    assert found.control(cmc.SENDER_NONCE) == cmc.Control(11, cmc.SENDER_NONCE, (NONCE,))
    assert found.control(cmc.QUERY_PENDING) is None


def test_an_answer_in_full() -> None:
    outcome = cmc.Outcome(cmc.Status.PENDING, (1,), "wait", token=b"token", until=1_800_000_000)
    found, rest = decode(cmc.response(outcome, cmc.read(DATA), b"ours"), rfc6402.PKIResponse())
    assert not rest
    controls = {str(c["attrType"]): bytes(c["attrValues"][0]) for c in found["controlSequence"]}
    assert controls[cmc.TRANSACTION_ID] == der.integer(7)
    assert controls[cmc.RECIPIENT_NONCE] == NONCE
    assert controls[cmc.SENDER_NONCE] == der.octet_string(b"ours")
    info, rest = decode(controls[cmc.STATUS_INFO_V2], rfc6402.CMCStatusInfoV2())
    assert (int(info["cMCStatus"]), str(info["statusString"]), rest) == (3, "wait", b"")
    pending = info["otherInfo"]["pendInfo"]
    assert (bytes(pending["pendToken"]), str(pending["pendTime"])) == (b"token", "20270115080000Z")


def test_a_failure() -> None:
    outcome = cmc.Outcome(cmc.Status.FAILED, (1,), "no", cmc.Fail.POP_FAILED)
    found, _ = decode(cmc.response(outcome, None, b""), rfc6402.PKIResponse())
    (control,) = found["controlSequence"]
    info, _ = decode(bytes(control["attrValues"][0]), rfc6402.CMCStatusInfoV2())
    assert int(info["otherInfo"]["failInfo"]) == 9


def sequences(*parts: bytes) -> bytes:
    return der.sequence(*parts)


EMPTY = der.sequence()
CONTROL = der.sequence(der.integer(1), der.oid(cmc.REG_INFO), der.set_of(NONCE))


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (sequences(EMPTY, EMPTY, EMPTY), "der.malformed"),
        (sequences(EMPTY, EMPTY, der.sequence(NONCE), EMPTY), "cmc.unsupported"),
        (sequences(EMPTY, EMPTY, EMPTY, EMPTY, EMPTY), "der.trailing"),
        (sequences(der.sequence(CONTROL, CONTROL), EMPTY, EMPTY, EMPTY), "cmc.body-id"),
        (sequences(der.sequence(*[CONTROL] * 17), EMPTY, EMPTY, EMPTY), "cmc.parts"),
        (sequences(EMPTY, der.sequence(b"\xa2\x00"), EMPTY, EMPTY), "cmc.unsupported"),
        (DATA[:-1], "der.malformed"),
    ],
)
def test_what_is_no_request(data: bytes, rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        cmc.read(data)
    assert caught.value.rule == rule


def test_two_controls_of_a_kind() -> None:
    twice = cmc.read(pki_data(None, [(cmc.SENDER_NONCE, NONCE), (cmc.SENDER_NONCE, NONCE)]))
    with pytest.raises(BadRequest):
        twice.control(cmc.SENDER_NONCE)


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=4))
@settings(max_examples=100)
def test_no_change_of_octets_raises_anything_unplanned(at: int, octets: bytes) -> None:
    try:
        found = cmc.read(DATA[:at] + octets + DATA[at + len(octets) :])
        for control in found.controls:
            for read in (cmc.read_revocation, cmc.read_token):
                read(control)
    except CAError:
        return
