"""DER against values worked out by hand from X.690, and what the reader refuses."""

import pytest

from chancery.domain.errors import BadRequest
from chancery.wire import der

INTEGERS = {
    0: "020100",
    127: "02017f",
    128: "02020080",
    256: "02020100",
    -128: "020180",
    -129: "0202ff7f",
}
OIDS = {
    "2.5.4.3": "0603550403",
    "1.2.840.113549.1.1.11": "06092a864886f70d01010b",
    "2.999.3": "0603883703",  # X.690 §8.19.5, the example
    "0.39": "060127",
    "1.0": "060128",
}


@pytest.mark.parametrize(("value", "expected"), INTEGERS.items())
def test_integers(value: int, expected: str) -> None:
    assert der.integer(value).hex() == expected
    assert der.decode_integer(der.single(bytes.fromhex(expected), der.INTEGER)[1]) == value


@pytest.mark.parametrize(("dotted", "expected"), OIDS.items())
def test_oids(dotted: str, expected: str) -> None:
    assert der.oid(dotted).hex() == expected
    assert der.decode_oid(bytes.fromhex(expected)[2:]) == dotted


@pytest.mark.parametrize(
    "dotted",
    ["", "1", "3.1", "1.40", "01.2", "1.02", "1..2", "1.-2", "1.2.x", "1.٣", "1." + "9" * 2000],
)
def test_refuses_what_is_no_oid(dotted: str) -> None:
    with pytest.raises(BadRequest):
        der.oid(dotted)


@pytest.mark.parametrize(
    ("unix", "tag", "text"),
    [
        (0, der.UTC_TIME, b"700101000000Z"),
        (2_524_607_999, der.UTC_TIME, b"491231235959Z"),
        (2_524_608_000, der.GENERALIZED_TIME, b"20500101000000Z"),
        (253_402_300_799, der.GENERALIZED_TIME, b"99991231235959Z"),
    ],
)
def test_time_changes_its_form_in_2050(unix: int, tag: int, text: bytes) -> None:
    assert der.time(unix) == der.tlv(tag, text)
    assert der.decode_time(tag, text) == unix


@pytest.mark.parametrize("unix", [-1, 253_402_300_800])
def test_refuses_times_no_certificate_can_say(unix: int) -> None:
    with pytest.raises(BadRequest):
        der.time(unix)


def test_utc_time_before_1970_is_of_the_last_century() -> None:
    assert der.decode_time(der.UTC_TIME, b"500101000000Z") == -631_152_000


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths(size: int) -> None:
    encoded = der.octet_string(bytes(size))
    assert der.single(encoded, der.OCTET_STRING)[1] == bytes(size)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ((), "030100"),
        ((0,), "03020780"),
        ((0, 2), "030205a0"),
        ((5, 6), "03020106"),  # keyCertSign, cRLSign
        ((8,), "0303070080"),
    ],
)
def test_named_bits(positions: tuple[int, ...], expected: str) -> None:
    assert der.named_bits(positions).hex() == expected
    assert der.decode_named_bits(bytes.fromhex(expected)[2:]) == positions


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "empty"),
        ("30", "no length"),
        ("3080", "indefinite length"),
        ("308101", "a long form for a short length"),
        ("30820001aa", "leading zero in the length"),
        ("3003020100ff", "an octet after the value"),
        ("300402010", "cut"),
        ("1f8101", "high tag number"),
        ("30850000000001ff", "length of five octets"),
    ],
)
def test_refuses_what_is_not_der(data: str, why: str) -> None:
    with pytest.raises(BadRequest):
        der.single(bytes.fromhex(data if len(data) % 2 == 0 else data + "0"))


@pytest.mark.parametrize("content", ["", "0001", "ff80", "0000"])
def test_refuses_integers_that_are_not_minimal(content: str) -> None:
    with pytest.raises(BadRequest):
        der.decode_integer(bytes.fromhex(content))


@pytest.mark.parametrize("content", ["", "80", "8001", "2a80", "2a8001"])
def test_refuses_oids_that_are_cut_or_padded(content: str) -> None:
    with pytest.raises(BadRequest):
        der.decode_oid(bytes.fromhex(content))


def test_set_of_sorts() -> None:
    assert der.set_of(der.integer(2), der.integer(1)).hex() == "3106020101020102"


def test_a_reader_stays_inside_its_container() -> None:
    outer = der.Reader(der.sequence(der.integer(1)) + der.NULL)
    inner = outer.enter(der.SEQUENCE)
    assert inner.content(der.INTEGER) == b"\x01"
    assert inner.peek() is None
    with pytest.raises(BadRequest):
        inner.read()
    assert outer.optional(der.BOOLEAN) is None
    with pytest.raises(BadRequest):
        outer.finish()
