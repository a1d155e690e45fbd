"""What people type."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.cli import arguments
from chancery.domain.errors import BadRequest


@pytest.mark.parametrize(
    ("typed", "serial"),
    [
        ("abcd", "abcd"),
        ("0xABCD", "abcd"),
        ("0Xab:CD", "abcd"),
        ("00:ab:cd", "abcd"),
        ("AB CD", "abcd"),
        ("0", "0"),
        ("f" * 40, "f" * 40),
    ],
)
def test_serial(typed: str, serial: str) -> None:
    assert arguments.serial(typed) == serial


@pytest.mark.parametrize("typed", ["", "0x", "xyz", "-1", "f" * 41, "12/..", "١٢"])
def test_not_a_serial(typed: str) -> None:
    with pytest.raises(BadRequest, match="not a serial"):
        arguments.serial(typed)


@given(st.text())
def test_a_serial_is_hex_or_refused(text: str) -> None:
    with contextlib.suppress(BadRequest):
        assert int(arguments.serial(text), 16) >= 0


def test_names_are_given_their_kinds() -> None:
    given_ = ("www.example.org, 10.0.0.1", "2001:db8::1,a@example.org", "https://a/", "upn:u@x")
    assert arguments.names(given_) == [
        "dns:www.example.org",
        "ip:10.0.0.1",
        "ip:2001:db8::1",
        "email:a@example.org",
        "uri:https://a/",
        "upn:u@x",
    ]


def test_subject() -> None:
    assert arguments.subject((r"CN=a\,b , O=X=Y", "OU=1", "OU=2,OU=3")) == {
        "CN": "a,b",
        "O": "X=Y",
        "OU": ["1", "2", "3"],
    }


@pytest.mark.parametrize("typed", ["CN", "=x", "CN=a,,O=b"])
def test_not_a_subject(typed: str) -> None:
    with pytest.raises(BadRequest, match="ATTRIBUTE=VALUE"):
        arguments.subject((typed,))


@pytest.mark.parametrize("typed", ["1.2=0", "1=00", "x=00", "1.2", "1.2=zz"])
def test_not_an_extension(typed: str) -> None:
    with pytest.raises(BadRequest, match="OID=HEX"):
        arguments.extensions((typed,))


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("30d", 1_000 + 30 * 86_400),
        ("-7d", 1_000 - 7 * 86_400),
        ("1900000000", 1_900_000_000),
        ("2026-05-01", 1_777_593_600),
        ("2026-05-01T02:00:00+02:00", 1_777_593_600),
        (None, None),
    ],
)
def test_when(typed: str | None, seconds: int | None) -> None:
    assert arguments.when(typed, 1_000, "--since") == seconds


def test_not_a_time() -> None:
    with pytest.raises(BadRequest, match="not a time"):
        arguments.when("tomorrow", 0, "--since")
