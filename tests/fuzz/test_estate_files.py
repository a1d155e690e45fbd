"""Files that people bring: whatever is in them, each line gets an answer and nothing breaks."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest, CAError
from chancery.domain.estate import ImportChoices
from chancery.services.estate.reading import ImportFile, read
from chancery.wire import bundle, foreign_certificate, index_txt, inventory_csv

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
DAY = datetime(2026, 1, 1, tzinfo=UTC)
DER = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 77)
    .not_valid_before(DAY)
    .not_valid_after(DAY)
    .add_extension(
        x509.SubjectAlternativeName(
            [
                x509.DNSName("A.example.org"), x509.RFC822Name("a@b"), x509.DirectoryName(NAME),
                x509.UniformResourceIdentifier("http://a/"), x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
                x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
            ]
        ),
        critical=False,
    )
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.DER)
)  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
LINES = st.lists(
    st.one_of(
        TEXT,
        st.lists(st.one_of(TEXT, st.sampled_from(
            ["V", "R", "E", "270101000000Z", "20270101000000Z", "01", "unknown", "/CN=a/O=b",
             "260101000000Z,keyCompromise", "260101000000Z,keyTime,250101000000Z", "99"])),
            min_size=5, max_size=7).map("\t".join),
    ),
    max_size=6,
)  # fmt: skip


@given(LINES)
def test_an_index_of_anything(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    for one in index_txt.read(data):
        assert isinstance(one, index_txt.Unread) or int(one.serial, 16) >= 0


@given(
    st.lists(
        st.sampled_from(["serial", "Expires", "status", "sans", "pem", "x,", "revoked at"]),
        min_size=1,
    ),
    st.lists(st.lists(TEXT, max_size=6), max_size=4),
    st.booleans(),
)
def test_a_list_of_anything(heading: list[str], rows: list[list[str]], decimal: bool) -> None:
    data = "\n".join([";".join(heading), *(";".join(row) for row in rows)]).encode()
    try:
        how = inventory_csv.layout(data, {}, decimal=decimal)
    except BadRequest:
        return
    for one in inventory_csv.read(data, how):
        assert one.line > 1


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # refused right after
@given(
    st.binary(max_size=200)
    | st.integers(0, len(DER) - 1).map(lambda at: DER[:at] + b"\xff" + DER[at + 1 :])
)
@example(DER[:40] + b"\xff" + DER[41:])  # a name that is read only when it is asked for
def test_octets_that_may_be_a_certificate(data: bytes) -> None:
    for one in bundle.read(data):
        if one.error is None:
            try:
                found = foreign_certificate.decode(one.der)
            except BadRequest:
                continue
            assert found.serial
            assert not found.signed_by(found) or found.self_issued


@given(
    st.lists(
        st.binary(max_size=60) | LINES.map(lambda lines: "\n".join(lines).encode()), max_size=3
    )
)
def test_files_of_anything(files: list[bytes]) -> None:
    try:
        items = read(
            [ImportFile(f"f{n}", data) for n, data in enumerate(files)], ImportChoices(), None
        )
    except CAError:
        return
    assert all(item.file for item in items)


def test_a_strangers_certificate_is_read_whole() -> None:
    found = foreign_certificate.decode(DER)
    assert (found.serial, found.subject, found.is_ca) == ("4d", "CN=a", False)
    assert [name.text for name in found.names] == [
        "dns:a.example.org", "email:a@b", "directory:CN=a", "uri:http://a/", "registered-id:1.2.3",
        "other:1.2.3;0500",
    ]  # fmt: skip
    assert found.signed_by(found)
