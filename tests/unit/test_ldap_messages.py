"""LDAP answers: what a directory may send, and what it may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.wire import der, ldap
from chancery.wire.ldap import Answer, Entry, Message

# RFC 4511 §4.1.9, §4.2.2, §4.12, written out by hand.
RESULTS = {
    "300c02010161070a010004000400": Message(1, Answer.BIND),
    "300c02010161070a013104000400": Message(1, Answer.BIND, 49),
    "300c02010378070a010004000400": Message(3, Answer.EXTENDED),
    "300c02010265070a010004000400": Message(2, Answer.DONE),
}


def long(tag: int, *content: bytes) -> bytes:
    """As Active Directory writes it: every length in four octets."""
    whole = b"".join(content)
    return bytes((tag, 0x84)) + len(whole).to_bytes(4) + whole


@pytest.mark.parametrize("octets", RESULTS)
def test_results(octets: str) -> None:
    data = bytes.fromhex(octets)
    assert ldap.size_of(data) == len(data)
    assert ldap.decode(data) == RESULTS[octets]


def test_lengths_of_four_octets() -> None:
    values = long(der.SET, der.octet_string(b"abc"), der.octet_string(b"abcd"))
    row = long(der.SEQUENCE, der.octet_string(b"uid"), values)
    entry = long(Answer.ENTRY, der.octet_string(b"cn=x"), long(der.SEQUENCE, row))
    data = long(der.SEQUENCE, der.integer(2), entry)
    assert ldap.size_of(data) == len(data)
    assert ldap.decode(data).entry == Entry("cn=x", {"uid": (b"abc", b"abcd")})


def test_options_of_an_attribute_do_not_hide_it() -> None:
    values = der.tlv(der.SET, der.octet_string(b"1"))
    rows = [der.sequence(der.octet_string(name), values) for name in (b"Cert;binary", b"cert;x")]
    content = der.octet_string(b"cn=x") + der.sequence(*rows)
    message = der.sequence(der.integer(7), der.tlv(Answer.ENTRY, content))
    assert ldap.decode(message).entry == Entry("cn=x", {"cert": (b"1", b"1")})


@pytest.mark.parametrize(
    "octets",
    [
        "020101", "3080", "308500000000010203", "3000", "3003020101", "300502010161",
        "300c020101610a0a010004000400",
        "300c0201ff61070a010004000400", "300c02010160070a010004000400",
        "300e0205010000000161050a0100040004",
    ],
)  # fmt: skip
def test_what_no_directory_may_send(octets: str) -> None:
    data = bytes.fromhex(octets)
    with pytest.raises(BadRequest):
        ldap.decode(data[: ldap.size_of(data)])


def test_too_long_a_message_is_refused_at_its_first_octets() -> None:
    with pytest.raises(BadRequest) as caught:
        ldap.size_of(bytes.fromhex("3084ffffffff"))
    assert caught.value.rule == "ldap.size"
    assert ldap.size_of(b"\x30") is None
    assert ldap.size_of(bytes.fromhex("3084ffff")) is None


@given(
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: der.sequence(der.integer(1), b))
)
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    try:
        ldap.size_of(data)
        message = ldap.decode(data)
    except BadRequest:
        return
    assert message.id >= 0
