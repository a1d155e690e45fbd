"""Every template compiles, and none breaks the policy or goes around the escaping."""

import re

import pytest

from chancery.web.rendering import FOLDER

TEMPLATES = sorted(FOLDER.rglob("*.html"))
RAW = {"parts/ui.html": 1}  # the picture of a TOTP secret is an SVG that we drew


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.relative_to(FOLDER).as_posix())
def test_nothing_inline_and_nothing_raw(path) -> None:  # type: ignore[no-untyped-def]
    text = path.read_text()
    assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)\s*=", text), "inline style or handler"
    for script in re.findall(r"<script[^>]*>", text):
        assert "src=" in script or 'type="application/json"' in script
    assert "<style" not in text
    raw = len(re.findall(r"(?<![\"'])\|\s*safe\b|Markup|autoescape\s+false", text))  # but a literal
    assert raw == RAW.get(path.relative_to(FOLDER).as_posix(), 0)
    assert not re.search(r"""(?:src|href|action)=["']https?:""", text), "somebody else's address"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.relative_to(FOLDER).as_posix())
def test_every_post_carries_the_token(path) -> None:  # type: ignore[no-untyped-def]
    for form in re.findall(
        r"<form\b[^>]*method=\"post\".*?</form>", path.read_text(), re.DOTALL | re.IGNORECASE
    ):
        assert "csrf()" in form


def test_every_template_compiles(house) -> None:  # type: ignore[no-untyped-def]
    names = house.web.renderer.templates()
    assert len(names) == len(TEMPLATES)
    for name in names:
        house.web.renderer.compile(name)
