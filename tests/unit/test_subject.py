"""Subjects built by DN profiles."""

from dataclasses import replace

import pytest
from issuing import dn

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.errors import BadName
from chancery.domain.names import ATTRIBUTES, DistinguishedName
from chancery.domain.shipped import DN_PROFILES
from chancery.domain.subject import build_subject

S = ValueSource


def rule(name: str, source: ValueSource = S.CSR, **changes: object) -> AttributeRule:
    oid, syntax, longest = ATTRIBUTES[name]
    return replace(AttributeRule(oid, syntax, source, max_length=longest), **changes)


def build(
    *rules: AttributeRule,
    csr: DistinguishedName | None = None,
    given: tuple[tuple[str, str], ...] = (),
    may_override: bool = False,
) -> DistinguishedName:
    return build_subject(DnProfile("test", rules), csr, given, may_override=may_override)


def refused(*rules: AttributeRule, **how: object) -> BadName:
    with pytest.raises(BadName) as caught:
        build(*rules, **how)
    assert caught.value.field
    assert caught.value.remedy
    return caught.value


CSR = dn(("C", "DE"), ("O", "Example"), ("OU", "One"), ("OU", "Two"), ("CN", "Alice"))


def test_the_order_is_the_profiles_and_the_rest_is_ignored() -> None:
    assert build(rule("CN"), rule("C"), csr=CSR).text == "C=DE,CN=Alice"


def test_the_string_type_is_the_profiles() -> None:
    built = build(rule("O"), csr=dn(("O", "x")))
    assert built.rdns[0][0].syntax is ATTRIBUTES["O"][1]


def test_each_rule_takes_one_value() -> None:
    assert build(rule("OU"), rule("OU"), rule("OU"), csr=CSR).values("2.5.4.11") == ("One", "Two")
    assert build(rule("OU"), csr=CSR).values("2.5.4.11") == ("One",)


def test_attributes_share_an_rdn() -> None:
    built = build(rule("CN", rdn=1), rule("C"), rule("OU", rdn=1), csr=CSR)
    assert [[a.value for a in rdn] for rdn in built.rdns] == [["Alice", "One"], ["DE"]]


@pytest.mark.parametrize(
    ("source", "value", "csr", "given", "may_override", "expected"),
    [
        (S.FIXED, "own", "asked", None, True, "own"),
        (S.FIXED, "own", None, "own", True, "own"),
        (S.FIXED, "own", None, "other", True, None),
        (S.DEFAULT, "own", "asked", None, True, "own"),
        (S.DEFAULT, "own", "asked", "given", False, "given"),
        (S.CSR, None, "asked", None, False, "asked"),
        (S.CSR, None, "asked", "asked", False, "asked"),
        (S.CSR, None, "asked", "given", False, None),
        (S.CSR, None, "asked", "given", True, "given"),
        (S.CSR, None, None, "given", False, "given"),  # the server makes the key
        (S.REQUESTER, None, "asked", None, True, ""),
        (S.REQUESTER, None, "asked", "given", False, "given"),
    ],
)
def test_where_values_come_from(
    source: ValueSource,
    value: str | None,
    csr: str | None,
    given: str | None,
    may_override: bool,
    expected: str | None,
) -> None:
    subject = None if csr is None else dn(("O", csr))
    fields = () if given is None else (("O", given),)
    one = rule("O", source, value=value, editable=True)
    if expected is None:
        error = refused(one, csr=subject, given=fields, may_override=may_override)
        assert error.field == "subject.O"
        return
    built = build(one, csr=subject, given=fields, may_override=may_override)
    assert built.values("2.5.4.10") == ((expected,) if expected else ())


def test_only_editable_values_of_a_csr_are_replaced() -> None:
    error = refused(rule("CN"), csr=CSR, given=(("CN", "Bob"),), may_override=True)
    assert error.rule == "subject.csr"


def test_a_field_nobody_wants_is_an_error() -> None:
    error = refused(rule("CN"), csr=CSR, given=(("O", "x"),))
    assert (error.field, error.rule) == ("subject.O", "subject.not-in-profile")
    two = (("CN", "x"), ("CN", "y"))
    assert refused(rule("CN", S.REQUESTER), given=two).rule == "subject.not-in-profile"
    assert refused(rule("CN"), given=(("nonsense", "x"),)).rule == "subject.unknown"


def test_fields_by_oid_and_in_any_case() -> None:
    assert build(rule("CN"), given=(("2.5.4.3", "x"),)).text == "CN=x"
    assert build(rule("CN"), given=(("cn", "x"),)).text == "CN=x"


def test_required() -> None:
    error = refused(rule("CN", required=True), csr=dn(("O", "x")))
    assert (error.field, error.rule) == ("subject.CN", "subject.required")
    assert build(rule("CN"), csr=dn(("O", "x"))) == DistinguishedName()


@pytest.mark.parametrize(
    ("one", "value", "broken"),
    [
        (rule("C"), "de", "subject.country"),
        (rule("C"), "DEU", "subject.length"),
        (rule("C"), "D", "subject.country"),
        (rule("CN"), "x" * 65, "subject.length"),
        (rule("CN", max_length=500), "x" * 65, "subject.length"),  # RFC 5280's bound stands
        (rule("CN", min_length=3), "x", "subject.length"),
        (rule("CN"), "", "subject.length"),
        (rule("CN"), "a\x00b", "subject.control-character"),
        (rule("CN"), "a\nb", "subject.control-character"),
        (rule("CN"), "\u202ealice", "subject.control-character"),
        (rule("CN"), " x", "subject.space"),
        (rule("CN"), "x ", "subject.space"),
        (rule("serialNumber"), "a_b", "subject.alphabet"),
        (rule("serialNumber"), "a@b", "subject.alphabet"),
        (rule("emailAddress"), "zoë@example.org", "subject.alphabet"),
        (rule("emailAddress"), "nobody", "name.email-syntax"),
        (rule("DC"), "example.org", "subject.dc"),
        (rule("DC"), "a_b", "name.dns-syntax"),
        (rule("O", regex="Example|Sample"), "Other", "subject.regex"),
        (rule("O", regex="Example"), "Examples", "subject.regex"),
    ],
)
def test_refuses_values(one: AttributeRule, value: str, broken: str) -> None:
    name = next(n for n, (oid, _, _) in ATTRIBUTES.items() if oid == one.oid)
    assert refused(one, csr=dn((name, value))).rule == broken


def test_any_subject_takes_what_an_openssl_user_writes() -> None:
    subject = dn(
        ("C", "DE"), ("ST", "Bayern"), ("L", "München"), ("O", "Example"), ("OU", "Lab"),
        ("CN", "alice"), ("emailAddress", "alice@example.org"),
    )  # fmt: skip
    profile = next(p for p in DN_PROFILES if p.name == "any-subject")
    assert build_subject(profile, subject, (), may_override=False) == subject
    assert build_subject(profile, DistinguishedName(), (), may_override=False).rdns == ()
