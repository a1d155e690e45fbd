"""Nothing from outside may steer the terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.cli.failures import one_line
from chancery.cli.text import clean, instant, lasting, relative, when


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    assert not {unicodedata.category(c) for c in clean(text)} & {"Cc", "Cf", "Zl", "Zp", "Cs"}


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31m", "\\x1b[2J\\x1b[31m"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x9b31m", "\\x9b31m"),  # CSI in its one-octet form
        ("\u202egro.elpmaxe", "\\u202egro.elpmaxe"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("Zürich Łódź 東京", "Zürich Łódź 東京"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_spells_out(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


def test_keeps_lines_only_where_asked() -> None:
    assert clean("a\nb\x1b", keep_lines=True) == "a\nb\\x1b"


@given(st.text())
def test_json_is_one_printable_line(text: str) -> None:
    assert one_line({"a": text}).isascii()
    assert one_line({"a": text}).isprintable()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1_000, "now"),
        (1_001, "in 1 second"),
        (999, "1 second ago"),
        (1_090, "in 90 seconds"),
        (880, "2 minutes ago"),
        (1_000 + 86_400 * 89, "in 89 days"),
        (1_000 - 86_400, "24 hours ago"),
        (1_000 + 86_400 * 3_650, "in 10 years"),
    ],
)
def test_relative(seconds: int, words: str) -> None:
    assert relative(seconds, 1_000) == words


def test_when_says_both() -> None:
    assert when(1_777_636_800, 1_777_636_800 + 7_200) == "2026-05-01T12:00:00Z (2 hours ago)"
    assert instant(10**30) == str(10**30)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86_400, "1 day"),
        (90 * 86_400, "90 days"),
        (129_600, "36 hours"),
        (90, "90 seconds"),
        (0, "0 seconds"),
    ],
)
def test_lasting(seconds: int, words: str) -> None:
    assert lasting(seconds) == words
