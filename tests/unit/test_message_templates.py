"""Templates show values and do nothing else, whoever wrote them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.adapters.templates import JinjaRenderer
from chancery.domain.errors import BadRequest
from chancery.domain.notification import Event, MessageTemplate

RENDERER = JinjaRenderer()
VALUES = {
    "name": "<b>&\"'",
    "many": [{"n": 1}, {"n": 2}],
    "names": ["a", "b"],
    "at": 1_790_000_000,
    "base_url": "https://ca.example.org",
    "url": "https://ca.example.org/console?a=1&b=2",
    "evil": "https://evil.example.org/console",
}


def render(text: str, html: str | None = None, subject: str = "s"):  # type: ignore[no-untyped-def]
    return RENDERER.render(MessageTemplate(Event.TEST, subject, text, html), VALUES)


def test_values_conditions_loops_and_filters() -> None:
    text = (
        '{{ names | join(", ") }}; {% if name is defined and nope is undefined %}yes{% endif %};'
        "{% for one in many %}{{ one.n }}{% if not loop.last %}+{% endif %}{% endfor %};"
        ' {{ many[1].n }}; {{ at | when }}; {{ nope | default("none") }}'
    )
    assert render(text).text == "a, b; yes;1+2; 2; 2026-09-21 14:13 UTC; none"


def test_html_is_escaped_and_only_our_own_addresses_can_be_clicked() -> None:
    made = render("{{ name }}\n{{ url }}\n\n{{ evil }}").html
    assert "<p>&lt;b&gt;&amp;" in made
    ours = "https://ca.example.org/console?a=1&amp;b=2"
    assert f'<a href="{ours}">{ours}</a></p>' in made
    assert "<p>https://evil.example.org/console</p>" in made
    assert made.count("<a ") == 1
    own = render("x", "<p>{{ name }}</p>").html
    assert "<p>&lt;b&gt;&amp;&#34;&#39;</p>" in own


def test_a_subject_is_one_line() -> None:
    assert render("x", subject="a\n  {{ name }}\r\nb").subject == "a <b>&\"' b"


@pytest.mark.parametrize(
    "source",
    [
        "{{ name.upper() }}",
        "{{ name.__class__ }}",
        '{{ name["__class__"] }}',
        '{{ many[0]["__init__"] }}',
        "{{ name * 9 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ name ~ name }}",
        "{{ [1, 2] }}",
        "{{ many[0:1] }}",
        "{% set a = name %}",
        "{% set a %}x{% endset %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% for a in many %}{% for b in many %}{% for c in many %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in many recursive %}{% endfor %}",
        "{{ name | replace('a', 'b') }}",
        "{{ '%999999d' | format(1) }}",
        "{{ name | attr('x') }}",
        "{{ range(3) }}",
        "{{ self }}",
        "{{ lipsum }}",
        "{{ nope }}",
        "{{ many.x.y }}",
        "{{ name | when }}",
        "{{ 99999999999999999999 | when }}",
        "{{ name",
        "{% if %}",
        "{% for one in at %}{% endfor %}",
        "x" * 20_001,
    ],
)
def test_what_a_template_may_not_say(source: str) -> None:
    for part in ("subject", "text", "html"):
        given_ = {"subject": "s", "text": "t", "html": "h"} | {part: source}
        with pytest.raises(BadRequest) as refused:
            RENDERER.render(MessageTemplate(Event.TEST, **given_), VALUES)
        assert refused.value.field == part


def test_a_template_cannot_keep_the_machine_busy() -> None:
    nested = "{% for a in names %}{% for b in names %}{{ long }}{% endfor %}{% endfor %}"
    started = time.monotonic()
    with pytest.raises(BadRequest, match="longer"):
        RENDERER.render(
            MessageTemplate(Event.TEST, "s", nested), {"names": ["x"] * 50, "long": "y" * 1000}
        )
    assert time.monotonic() - started < 1


@given(st.text(alphabet="{}%|. abnamesuford()[]'\"0\n", max_size=60))
def test_no_template_fails_in_an_unplanned_way(source: str) -> None:
    try:
        made = render(source)
    except BadRequest:
        return
    assert isinstance(made.text, str)
