"""Distinguished names against pyca's encoder and RFC 4514's examples."""

import pytest
from cryptography import x509

from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import Attribute, DistinguishedName, Syntax
from chancery.wire import der
from chancery.wire.names import decode_name, encode_name, parse_text

CN, O, OU, C = "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.6"  # noqa: E741

EVERY_SYNTAX = [
    Attribute(CN, "Zoë 北京 𝄞", Syntax.UTF8),
    Attribute(C, "DE", Syntax.PRINTABLE),
    Attribute("1.2.840.113549.1.9.1", "a@example.org", Syntax.IA5),
    Attribute(O, "Zoë 北京", Syntax.BMP),
    Attribute(O, "Zoë", Syntax.TELETEX),
    Attribute(O, "Zoë 𝄞", Syntax.UNIVERSAL),
    Attribute("2.5.4.5", "0123 45", Syntax.NUMERIC),
]


@pytest.mark.parametrize("attribute", EVERY_SYNTAX, ids=lambda a: a.syntax.value)
def test_every_string_type_survives(attribute: Attribute) -> None:
    name = DistinguishedName(((attribute,),))
    assert decode_name(encode_name(name)) == name


def test_pyca_encodes_the_same() -> None:
    oid = x509.NameOID
    theirs = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(oid.COUNTRY_NAME, "DE")]),
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(oid.ORGANIZATIONAL_UNIT_NAME, "Z"),
                    x509.NameAttribute(oid.COMMON_NAME, "Zoë"),
                ]
            ),
        ]
    )
    ours = DistinguishedName(
        (
            (Attribute(C, "DE", Syntax.PRINTABLE),),
            (Attribute(OU, "Z", Syntax.UTF8), Attribute(CN, "Zoë", Syntax.UTF8)),
        )
    )
    assert encode_name(ours) == theirs.public_bytes()


def test_multi_valued_rdns_are_sorted_however_given() -> None:
    a, b = Attribute(OU, "x", Syntax.UTF8), Attribute(CN, "y", Syntax.UTF8)
    assert encode_name(DistinguishedName(((a, b),))) == encode_name(DistinguishedName(((b, a),)))
    assert decode_name(encode_name(DistinguishedName(((a, b),)))).rdns == ((b, a),)


def test_the_empty_name() -> None:
    assert encode_name(DistinguishedName()).hex() == "3000"
    assert decode_name(b"\x30\x00") == DistinguishedName() == parse_text("  ")


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute(CN, "a*b", Syntax.PRINTABLE),
        Attribute(CN, "ü", Syntax.IA5),
        Attribute(CN, "12a", Syntax.NUMERIC),
        Attribute(CN, "𝄞", Syntax.BMP),
        Attribute(CN, "北", Syntax.TELETEX),
        Attribute(CN, "\ud800", Syntax.UTF8),
    ],
)
def test_refuses_characters_the_type_cannot_hold(attribute: Attribute) -> None:
    with pytest.raises(BadName):
        encode_name(DistinguishedName(((attribute,),)))


def _rdn(*attributes: bytes) -> bytes:
    return der.sequence(der.tlv(der.SET, b"".join(attributes)))


_X = der.sequence(der.oid(CN), der.tlv(der.UTF8_STRING, b"x"))
_Y = der.sequence(der.oid(CN), der.tlv(der.UTF8_STRING, b"y"))


@pytest.mark.parametrize(
    "data",
    [
        _rdn(),
        _rdn(_Y, _X),
        _rdn(der.sequence(der.oid(CN), der.integer(1))),
        _rdn(der.sequence(der.oid(CN), der.tlv(der.PRINTABLE_STRING, b"a@b"))),
        _rdn(der.sequence(der.oid(CN), der.tlv(der.UTF8_STRING, b"\xff"))),
        _rdn(der.sequence(der.oid(CN), der.tlv(0x1E, b"\xd8\x00"))),
        _rdn(der.sequence(der.oid(CN), der.tlv(der.UTF8_STRING, b"x"), der.NULL)),
        _rdn(_X) + b"\x00",
        b"",
    ],
    ids=["empty", "order", "type", "alphabet", "utf-8", "surrogate", "extra", "trailing", "none"],
)
def test_refuses_malformed_names(data: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_name(data)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        # RFC 4514 §4
        ("UID=jsmith,DC=example,DC=net", ["net", "example", "jsmith"]),
        (r"CN=James \"Jim\" Smith\, III,DC=net", ["net", 'James "Jim" Smith, III']),
        (r"CN=Before\0dAfter,DC=net", ["net", "Before\rAfter"]),
        (r"CN=Lu\C4\8Di\C4\87", ["Lučić"]),
        (r"1.3.6.1.4.1.1466.0=#04024869", None),  # an OCTET STRING, which is no string for us
        ("CN=#0c0178", ["x"]),
        (r"CN=\ leading and trailing\ ", [" leading and trailing "]),
        (r"CN=  spaces around  , O = y ", ["y", "spaces around"]),
        (r"CN=\\", ["\\"]),
        ("oid.2.5.4.3=x", ["x"]),
        ("cn=x", ["x"]),
        ("CN=", [""]),
    ],
)
def test_reads_rfc_4514_text(text: str, pairs: list[str] | None) -> None:
    if pairs is None:
        with pytest.raises(BadName):
            parse_text(text)
        return
    assert [a.value for rdn in parse_text(text).rdns for a in rdn] == pairs


def test_reads_multi_valued_rdns() -> None:
    assert [len(rdn) for rdn in parse_text("OU=Sales+CN=J. Smith,DC=example,DC=net").rdns] == [
        1,
        1,
        2,
    ]


@pytest.mark.parametrize(
    "text",
    ["x", "CN", "=x", "CN=x,", "CN=x+", "CN=x;O=y", 'CN="x"', "XX=y", "CN=\\", "CN=\\zz", "CN=\\ff",
     "CN=#zz", "CN=#30", "3.4=x", "CN=" + "x" * 5000, "CN=<x>", "CN=a\x00b"],
)  # fmt: skip
def test_refuses_other_text(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_text(text)


@pytest.mark.parametrize(
    "value", [" ", "  ", "#", "# ", " a ", "\\", "\\ ", 'a,b+c"d;e<f>g=h', "a\nb\x00", ""]
)
def test_our_own_text_is_read_back(value: str) -> None:
    name = DistinguishedName(((Attribute(CN, value, Syntax.UTF8),),))
    assert parse_text(name.text) == name
