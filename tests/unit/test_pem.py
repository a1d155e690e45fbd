"""PEM: strict about content, friendly about what surrounds it."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import pem

LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
DER = bytes(range(48)) * 3
TEXT = pem.encode(LABELS[0], DER)
LIMIT = 65_536


def decode(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return pem.decode(data, LABELS, LIMIT)[1]


@given(st.binary(min_size=1, max_size=300), st.sampled_from(LABELS))
def test_round_trip(der: bytes, label: str) -> None:
    assert pem.decode(pem.encode(label, der).encode(), LABELS, LIMIT) == (label, der)


def test_lines_have_64_columns() -> None:
    lines = TEXT.splitlines()
    assert {len(line) for line in lines[1:-2]} == {64}
    assert len(lines[-2]) <= 64
    assert TEXT.endswith("-----END CERTIFICATE REQUEST-----\n")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        "Certificate Request:\n    Data: CN=-----x-----\n" + TEXT + "trailing words",
        "\ufeff" + TEXT,
        TEXT.replace(
            "-----BEGIN CERTIFICATE REQUEST-----\n", "-----BEGIN CERTIFICATE REQUEST-----  \n\n"
        ),
        TEXT.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
        TEXT.replace("\n", "\n  "),
        "0 is the first character of this text\n" + TEXT,
    ],
    ids=["crlf", "cr", "words around", "bom", "blank line", "new", "indented", "leading 0"],
)
def test_friendly(text: str) -> None:
    assert decode(text) == DER
    assert not pem.is_der(text.encode())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "pem.missing"),
        ("MIIBMzCB2gIBADA+MQswCQYD", "pem.missing"),
        (TEXT + TEXT, "pem.one-block"),
        (TEXT.replace("CERTIFICATE REQUEST", "CERTIFICATE"), "pem.label"),
        (TEXT.replace("CERTIFICATE REQUEST", "RSA PRIVATE KEY"), "pem.private-key"),
        (TEXT.replace("CERTIFICATE REQUEST", "ENCRYPTED PRIVATE KEY"), "pem.private-key"),
        (TEXT.replace("CERTIFICATE REQUEST", "OPENSSH PRIVATE KEY") + TEXT, "pem.private-key"),
        (TEXT.replace("-----END CERTIFICATE REQUEST-----", ""), "pem.end"),
        (TEXT.replace("END CERTIFICATE REQUEST", "END CERTIFICATE"), "pem.end"),
        (TEXT.replace("AAEC", "AA*C"), "pem.base64"),
        (TEXT.replace("AAEC", "AA=="), "pem.base64"),
        (TEXT.replace("AAEC", "A"), "pem.base64"),
        ("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----", "pem.base64"),
        ("-----BEGIN ", "pem.begin"),
        ("-----BEGIN -----", "pem.begin"),
        ("-----BEGIN " + "A" * 100 + "-----", "pem.begin"),
        ("-----BEGIN \x1b[31m-----", "pem.begin"),
        (TEXT.replace("\n", "\nProc-Type: 4,ENCRYPTED\n", 1), "pem.base64"),
    ],
)
def test_refuses(text: str, rule: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(text)
    assert (refused.value.rule, refused.value.field) == (rule, "pem")


def test_says_what_was_found_and_what_was_expected() -> None:
    with pytest.raises(BadRequest, match="found BEGIN CERTIFICATE; expected BEGIN CERTIFICATE REQ"):
        decode(TEXT.replace("CERTIFICATE REQUEST", "CERTIFICATE"))


def test_too_large_is_not_scanned() -> None:
    with pytest.raises(TooLarge):
        decode(TEXT + " " * LIMIT)


def test_many_blocks_keep_their_order() -> None:
    blocks = [(LABELS[n % 2], bytes([n])) for n in range(100)]
    text = "".join(pem.encode(label, der) for label, der in blocks)
    assert pem.decode_all(text.encode(), LABELS, LIMIT) == blocks


def test_blocks_are_counted() -> None:
    text = pem.encode(LABELS[0], b"x") * 1001
    with pytest.raises(TooLarge):
        pem.decode_all(text.encode(), LABELS, 10**6)


def test_hopeless_input_is_scanned_once() -> None:
    """64 KiB of BEGIN lines without an END: quadratic in a careless parser."""
    with pytest.raises(BadRequest) as refused:
        decode(b"-----BEGIN CERTIFICATE REQUEST-----\n" * 1800)
    assert refused.value.rule == "pem.end"


@pytest.mark.interop
def test_openssl_reads_what_we_write(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(pem.encode("PUBLIC KEY", bytes.fromhex("302a300506032b6570032100" + "11" * 32)))
    made = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", str(key), "-pubout"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert made.stdout == key.read_text()
