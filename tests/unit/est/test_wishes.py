"""What a request says to an EST server beside what it asks for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import CAError
from chancery.domain.names import GeneralName, NameKind
from chancery.wire import der, est_wishes, names
from chancery.wire.general_names import encode_san

SUBJECT = names.parse_text("CN=new.example.org,O=Example")
SAN = (GeneralName(NameKind.DNS, "new.example.org"),)
NAME, NAMES = names.encode_name(SUBJECT), encode_san(SAN)
TAGGED = b"\xa1" + NAMES[1:]


def info(*attributes: bytes) -> bytes:
    """A CertificationRequestInfo with these attributes; its key is not looked at here."""
    content = der.implicit(0, b"".join(attributes), constructed=True)
    return der.sequence(der.integer(0), NAME, der.sequence(der.NULL), content)


def attribute(oid: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(*values))


def test_nothing_is_asked_for() -> None:
    assert est_wishes.read(info()) == est_wishes.Wishes()
    other = attribute("1.2.840.113549.1.9.7", der.tlv(der.UTF8_STRING, b"x"))
    assert not est_wishes.read(info(other)).encrypted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (der.sequence(NAME), est_wishes.NewName(SUBJECT, None)),
        (der.sequence(NAME, TAGGED), est_wishes.NewName(SUBJECT, SAN)),
        (der.sequence(TAGGED), est_wishes.NewName(None, SAN)),
        (der.sequence(NAMES), est_wishes.NewName(None, SAN)),  # RFC 6402 as printed
        (der.sequence(NAME, NAMES), est_wishes.NewName(SUBJECT, SAN)),
    ],
)
def test_another_name(value: bytes, wanted: est_wishes.NewName) -> None:
    asked = info(attribute(est_wishes.CHANGE_SUBJECT_NAME, value))
    assert est_wishes.read(asked).new_name == wanted


def test_how_a_key_is_to_be_encrypted() -> None:
    aes = der.sequence(
        der.sequence(der.oid("2.16.840.1.101.3.4.1.42")),
        der.sequence(der.oid("2.16.840.1.101.3.4.1.2")),
    )
    asked = info(
        attribute(est_wishes.DECRYPT_KEY_ID, der.octet_string(b"kek")),
        attribute(est_wishes.ASYMMETRIC_DECRYPT_KEY_ID, der.octet_string(b"ski")),
        attribute(est_wishes.SMIME_CAPABILITIES, aes),
    )  # fmt: skip
    read = est_wishes.read(asked)
    assert (read.symmetric, read.asymmetric) == (b"kek", b"ski")
    assert read.capabilities == ("2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.1.2")
    assert read.encrypted


@pytest.mark.parametrize(
    "attributes",
    [
        attribute(est_wishes.CHANGE_SUBJECT_NAME, der.sequence()),
        attribute(est_wishes.CHANGE_SUBJECT_NAME, der.sequence(NAMES, NAMES)),
        attribute(est_wishes.CHANGE_SUBJECT_NAME, der.sequence(NAMES, NAME)),
        attribute(est_wishes.CHANGE_SUBJECT_NAME, der.sequence(NAME), der.sequence(NAME, NAMES)),
        attribute(est_wishes.CHANGE_SUBJECT_NAME),
        attribute(est_wishes.DECRYPT_KEY_ID, der.octet_string(b"")),
        attribute(est_wishes.DECRYPT_KEY_ID, der.integer(1)),
        attribute(est_wishes.ASYMMETRIC_DECRYPT_KEY_ID, der.octet_string(b"x" * 300)),
        attribute(
            est_wishes.SMIME_CAPABILITIES, der.sequence(*[der.sequence(der.oid("1.2.3"))] * 65)
        ),
    ],
)
def test_malformed_wishes_are_refused(attributes: bytes) -> None:
    with pytest.raises(CAError):
        est_wishes.read(info(attributes))


OIDS = sorted(est_wishes._READ)


@given(st.sampled_from(OIDS), st.binary(max_size=60), st.sampled_from([0x30, 0x04, 0x31, 0xA1]))
@settings(max_examples=80)
def test_no_octets_raise_anything_unplanned(oid: str, content: bytes, tag: int) -> None:
    try:
        est_wishes.read(info(attribute(oid, der.tlv(tag, content))))
    except CAError:
        return
