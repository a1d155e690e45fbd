"""A diff that people can read."""

from dataclasses import replace

import pytest

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.names import NameKind, Syntax
from chancery.domain.profile import DAY_S, ExtensionProfile, SanRule
from chancery.services.profile_diff import Change, differences, duration

BASE = ExtensionProfile(
    "web",
    extended_key_usage=("1.3.6.1.5.5.7.3.1",),
    san=(SanRule(NameKind.DNS, suffixes=(".a.example",)), SanRule(NameKind.IP)),
)


def rule(oid: str, **changes: object) -> AttributeRule:
    return AttributeRule(oid, Syntax.UTF8, ValueSource.CSR, **changes)  # type: ignore[arg-type]


NAMES = DnProfile("people", (rule("2.5.4.10"), rule("2.5.4.11"), rule("2.5.4.11"), rule("2.5.4.3")))


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (BASE, BASE, ()),
        (
            BASE,
            replace(BASE, validity_s=30 * DAY_S, backdate_s=3600),
            (
                Change("backdate_s", "1 minute", "1 hour"),
                Change("validity_s", "90 days", "30 days"),
            ),
        ),
        (
            BASE,
            replace(BASE, extended_key_usage=("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2")),
            (Change("extended_key_usage", "serverAuth", "serverAuth, clientAuth"),),
        ),
        (
            BASE,
            replace(
                BASE,
                san=(
                    SanRule(NameKind.DNS, suffixes=(".b.example",), wildcards=True),
                    SanRule(NameKind.EMAIL),
                ),
            ),
            (
                Change("san[dns].suffixes", ".a.example", ".b.example"),
                Change("san[dns].wildcards", "no", "yes"),
                Change(
                    "san[ip]",
                    "from_csr yes; from_requester yes; kind ip; max_count 100; networks none;"
                    " regex none; required no; suffixes none; wildcards no",
                    None,
                ),
                Change(
                    "san[email]",
                    None,
                    "from_csr yes; from_requester yes; kind email; max_count 100; networks none;"
                    " regex none; required no; suffixes none; wildcards no",
                ),
            ),
        ),
        (
            NAMES,
            replace(
                NAMES,
                attributes=(
                    rule("2.5.4.3", required=True),
                    rule("2.5.4.10"),
                    rule("2.5.4.11"),
                    rule("2.5.4.11", max_length=10),
                ),
            ),
            (
                Change("attributes[OU 2].max_length", "64", "10"),
                Change("attributes[CN].required", "no", "yes"),
                Change("attributes (order)", "O, OU, OU 2, CN", "CN, O, OU, OU 2"),
            ),
        ),
        (
            {"extensions": [{"name": "san", "value": ["dns:a"]}], "serial": "1"},
            {"extensions": [{"name": "san", "value": ["dns:b"]}], "key": "x"},
            (
                Change("extensions[san].value", "dns:a", "dns:b"),
                Change("serial", "1", None),
                Change("key", None, "x"),
            ),
        ),
    ],
)
def test_says_what_changed(old: object, new: object, changes: tuple[Change, ...]) -> None:
    assert differences(old, new) == changes


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (90, "90 seconds"), (129_600, "36 hours"),
     (31_536_000_0, "3,650 days")],
)  # fmt: skip
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text
