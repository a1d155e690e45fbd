"""Bodies of EST as clients send them, and as they want them back."""

import base64
import email

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chancery.domain.errors import CAError
from chancery.wire import der, est, pem

DER = der.sequence(der.octet_string(bytes(range(256))))
LABELS = ("CERTIFICATE REQUEST",)
LIMIT = 4096


@pytest.mark.parametrize(
    "body",
    [
        base64.b64encode(DER),
        base64.b64encode(DER) + b"\n",
        base64.encodebytes(DER),
        base64.encodebytes(DER).replace(b"\n", b"\r\n"),
        b"\r\n " + base64.b64encode(DER),
        DER,
        pem.encode("CERTIFICATE REQUEST", DER).encode(),
    ],
)
def test_a_body_is_read_whatever_its_form(body: bytes) -> None:
    assert est.decode(body, LABELS, LIMIT) == DER


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "est.base64"),
        (b"\n\n", "est.base64"),
        (base64.b64encode(DER)[:-3], "est.base64"),
        (base64.b64encode(DER) + b"!", "est.base64"),
        (b"\xff\xfe" * 50, "est.base64"),
        (b"grant_type=password", "est.base64"),
        (b"QUJD" * LIMIT, "est.size"),
        (base64.b64encode(b"0" * (LIMIT + 1)), "est.size"),
        (pem.encode("RSA PRIVATE KEY", DER).encode(), "pem.private-key"),
        (pem.encode("CERTIFICATE REQUEST", DER).encode()[:-30], "pem.end"),
    ],
)
def test_what_is_none_of_them_is_refused(body: bytes, rule: str) -> None:
    with pytest.raises(CAError) as caught:
        est.decode(body, LABELS, LIMIT)
    assert caught.value.rule == rule


def test_an_answer_is_one_line_or_lines_of_76() -> None:
    assert est.encode(DER) == base64.b64encode(DER)
    wrapped = est.encode(DER, wrap=True)
    assert base64.b64decode(wrapped) == DER
    assert {len(line) for line in wrapped.splitlines()[:-1]} == {76}
    assert wrapped.endswith(b"\r\n")


@pytest.mark.parametrize("wrap", [False, True])
def test_another_parser_takes_a_multipart_answer_apart(wrap: bool) -> None:
    body = est.multipart(
        [("application/pkcs8", DER), ("application/pkcs7-mime", b"0\0")], "a-b", wrap=wrap
    )
    message = email.message_from_bytes(
        b"Content-Type: multipart/mixed; boundary=a-b\r\n\r\n" + body
    )
    parts = message.get_payload()
    assert [part.get_content_type() for part in parts] == [
        "application/pkcs8",
        "application/pkcs7-mime",
    ]
    assert [part.get_payload(decode=True) for part in parts] == [DER, b"0\0"]


@given(st.binary(max_size=200))
@example(b"-----BEGIN ")
@settings(max_examples=60)
def test_no_octets_raise_anything_unplanned(body: bytes) -> None:
    try:
        est.decode(body, LABELS, LIMIT)
    except CAError:
        return
