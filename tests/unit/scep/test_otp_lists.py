"""Lists of one-time passwords: what a line says, and which line is wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.services.enrolment import one_time
from chancery.wire import otp_csv
from chancery.wire.otp_csv import OtpLine

HEAD = b"subject,san,profile,expires,note\r\n"


def test_a_line_says_whom_it_is_for() -> None:
    data = HEAD + b'"CN=a,O=T",dns:a.test ip:192.0.2.1,device,24h,the first\r\n\r\nCN=b,,,never,\n'
    first, second = otp_csv.decode(b"\xef\xbb\xbf" + data)
    assert first == OtpLine(
        2, "CN=a,O=T", None, ("dns:a.test", "ip:192.0.2.1"), "device", 86_400, "the first"
    )
    assert second == OtpLine(4, "CN=b", expires_s=None)
    wanted = one_time.all_wanted([first, second])
    assert [one.binding.subject for one in wanted] == ["CN=a,O=T", "CN=b"]
    assert wanted[1].binding.names == ()  # no names means none, not any


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"san\ndns:a", 1),
        (b"subject,subject\n", 1),
        (b"subject,what\n", 1),
        (b"\xff\xfe", 1),
        (HEAD + b"CN=a\n", 2),
        (HEAD + b"CN=a,,,soon,\n", 2),
        (HEAD + b"CN=a,,,,\nno name,,,,\n", 3),
        (HEAD + b"CN=a,dns:,,,\n", 2),
        (HEAD + b",,device,,\n", 2),
        (b"subject_pattern\n(\n", 2),
    ],
)
def test_the_wrong_line_is_named(data: bytes, line: int) -> None:
    with pytest.raises(BadRequest, match=f"^line {line}:") as refused:
        one_time.all_wanted(otp_csv.decode(data))
    assert refused.value.field == "csv"


@given(st.binary(max_size=200))
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    with contextlib.suppress(BadRequest):
        one_time.all_wanted(otp_csv.decode(HEAD + data))
