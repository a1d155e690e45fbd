"""What people type."""

import contextlib
import time
from typing import Any

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
    with pytest.raises(BadRequest, match="not a time") as caught:
        arguments.when("tomorrow", 0, "--since")
    assert "-7d (7 days ago)" in (caught.value.remedy or "")


@pytest.mark.parametrize("typed", ["foo:bar", "www.example.org:443"])
def test_not_a_kind_of_name(typed: str) -> None:
    with pytest.raises(BadRequest, match="no kind of name"):
        arguments.names((typed,))


def test_sha256() -> None:
    assert arguments.sha256("AB:" * 31 + "CD", "--key-sha256") == "ab" * 31 + "cd"
    with pytest.raises(BadRequest, match="'12' is not a SHA-256"):
        arguments.sha256("12", "--key-sha256")


@pytest.mark.parametrize(
    "argv",
    [
        "certificate list --limit 0",
        "request list --limit -1",
        "audit list --limit 0",
        "request submit a.csr --profile p --days 0",
        "request submit --bulk a --profile p --start -1",
        "ca create a --container c --subject CN=a --days 0",
        "ca create a --container c --subject CN=a --path-length -2",
        "ca renew a --days 0",
        "ca cross-sign a b.pem --path-length -1",
    ],
)
def test_numbers_that_make_no_sense(argv: str, run: Any, server: Any) -> None:
    finished = run(*argv.split())

    assert (finished.code, server.seen) == (2, [])
    assert "Must be >= " in finished.err


@pytest.mark.parametrize("path", ["/audit", "/certificates/ab/revoke"])
def test_a_relative_time_in_the_past(path: str, run: Any, server: Any) -> None:
    server.on("GET", path, {"items": []})
    server.on("POST", path, {})
    week_ago = time.time() - 7 * 86_400

    if path == "/audit":
        assert run("audit", "list", "--since", "-7d", "--until", "-6d").code == 0
        since = int(server.last.query["since_ms"]) / 1_000
    else:
        argv = ("certificate", "revoke", "ab", "--reason", "keyCompromise")
        assert run(*argv, "--invalidity-date", "-7d").code == 0
        since = server.last.json["invalidity_date"]
    assert abs(since - week_ago) < 60
