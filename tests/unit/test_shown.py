"""Nothing in a stranger's text hides, moves, or runs away."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.shown import LONGEST, UNSAFE, parts, suspicious


def spelled(text: str) -> str:
    return "".join(f"[{part.text}]" if part.marked else part.text for part in parts(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("www.example.org", "www.example.org"),
        ("Zoë Müller, 漢字", "Zoë Müller, 漢字"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # the page escapes it
        ("www.example.org\0.evil.example", "www.example.org[NUL].evil.example"),
        ("exe\u202egnp.innocent", "exe[U+202E]gnp.innocent"),
        ("a\u200bb\u2066c\ufeff", "a[U+200B]b[U+2066]c[U+FEFF]"),
        ("two\nlines\r\x1b[31m\t\x7f", "two[LF]lines[CR][ESC][31m[TAB][DEL]"),
        ("\ud800\ue000\U000e0041", "[U+D800][U+E000][U+E0041]"),
        ("no\u00a0break\u3000", "no[U+00A0]break[U+3000]"),
        ("e\u0301" + "\u0301" * 4, "e\u0301\u0301\u0301[U+0301][U+0301]"),
    ],
)
def test_marks(text: str, shown: str) -> None:
    assert spelled(text) == shown
    assert suspicious(text) is ("[U+" in shown or "[NUL" in shown or "[LF" in shown)


def test_what_is_long_is_cut_and_counted() -> None:
    assert spelled("a" * LONGEST) == "a" * LONGEST
    assert spelled("a" * (LONGEST + 1000)) == "a" * LONGEST + "[1,000 more characters]"


@given(st.text(max_size=800))
def test_only_marks_are_not_the_text_itself(text: str) -> None:
    found = parts(text)
    for part in found:
        if part.marked:
            assert part.text.isascii()
        else:
            assert part.text in text
            assert not {unicodedata.category(c) for c in part.text} & UNSAFE
