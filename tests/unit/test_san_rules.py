"""Which names get into a SAN."""

from dataclasses import replace

import pytest
from issuing import dn

from chancery.domain.errors import BadName
from chancery.domain.names import DistinguishedName, GeneralName, NameKind
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, SanRule
from chancery.domain.san_rules import select_names

NOBODY = DistinguishedName()
ANY = ExtensionProfile(
    name="any",
    san=(SanRule(NameKind.DNS), SanRule(NameKind.IP), SanRule(NameKind.EMAIL)),
)


def names(*texts: str) -> tuple[GeneralName, ...]:
    pairs = [text.partition(":") for text in texts]
    return tuple(GeneralName(NameKind(kind), value) for kind, _, value in pairs)


def with_rule(kind: NameKind, **conditions: object) -> ExtensionProfile:
    return ExtensionProfile(name="one", san=(SanRule(kind, **conditions),))


def test_the_order_is_stable_and_each_name_stands_once() -> None:
    chosen = select_names(
        ANY, names("dns:b.example", "dns:A.example"), names("dns:a.example", "ip:10.0.0.1"), NOBODY
    )
    assert chosen == names("dns:b.example", "dns:a.example", "ip:10.0.0.1")


def test_no_names_are_fine_where_none_are_required() -> None:
    assert select_names(ANY, (), (), NOBODY) == ()


@pytest.mark.parametrize(
    ("profile", "given", "rule"),
    [
        (ANY, "uri:https://example.org/", "name.kind"),
        (ANY, "dns:a..b", "name.dns-syntax"),
        (ANY, "dns:*.example.org", "name.wildcard"),
        (with_rule(NameKind.DNS, suffixes=(".example.org",)), "dns:example.org", "name.suffix"),
        (with_rule(NameKind.DNS, suffixes=(".example.org",)), "dns:evilexample.org", "name.suffix"),
        (with_rule(NameKind.DNS, suffixes=("example.org",)), "dns:a.example.org", "name.suffix"),
        (with_rule(NameKind.EMAIL, suffixes=("example.org",)), "email:a@evil.org", "name.suffix"),
        (with_rule(NameKind.UPN, suffixes=("example.org",)), "upn:a@evil.org", "name.suffix"),
        (with_rule(NameKind.URI, suffixes=("a.org",)), "uri:https://b.org/a.org", "name.suffix"),
        (with_rule(NameKind.IP, networks=("10.0.0.0/8",)), "ip:11.0.0.1", "name.network"),
        (with_rule(NameKind.IP, networks=("10.0.0.0/8",)), "ip:::1", "name.network"),
        (with_rule(NameKind.DNS, regex="a+"), "dns:aab", "name.regex"),
        (with_rule(NameKind.DNS, from_csr=False), "dns:a.example", "name.source"),
    ],
)
def test_refuses_names_of_the_csr(profile: ExtensionProfile, given: str, rule: str) -> None:
    with pytest.raises(BadName) as caught:
        select_names(profile, names(given), (), NOBODY)
    assert (caught.value.field, caught.value.rule) == ("csr", rule)
    assert caught.value.remedy


def test_refuses_names_of_the_requester() -> None:
    profile = with_rule(NameKind.DNS, from_requester=False)
    assert select_names(profile, names("dns:a.example"), (), NOBODY)
    with pytest.raises(BadName) as caught:
        select_names(profile, (), names("dns:a.example"), NOBODY)
    assert (caught.value.field, caught.value.rule) == ("names", "name.source")


@pytest.mark.parametrize(
    ("profile", "given"),
    [
        (with_rule(NameKind.DNS, wildcards=True), "dns:*.example.org"),
        (
            with_rule(NameKind.DNS, wildcards=True, suffixes=(".example.org",)),
            "dns:*.example.org",
        ),
        (with_rule(NameKind.DNS, suffixes=(".example.org",)), "dns:a.b.example.org"),
        (with_rule(NameKind.DNS, suffixes=("Example.org",)), "dns:example.org"),
        (with_rule(NameKind.EMAIL, suffixes=("example.org",)), "email:a@Example.org"),
        (with_rule(NameKind.URI, suffixes=(".a.org",)), "uri:https://x.a.org:8443/b"),
        (with_rule(NameKind.IP, networks=("10.0.0.0/8", "2001:db8::/32")), "ip:2001:db8::1"),
        (with_rule(NameKind.DNS, regex=r"[a-z]+\.example"), "dns:a.example"),
    ],
)
def test_accepts(profile: ExtensionProfile, given: str) -> None:
    assert select_names(profile, names(given), (), NOBODY) == names(given)


def test_counts() -> None:
    profile = with_rule(NameKind.DNS, required=True, max_count=1)
    with pytest.raises(BadName) as caught:
        select_names(profile, (), (), NOBODY)
    assert caught.value.rule == "name.required"
    with pytest.raises(BadName) as caught:
        select_names(profile, names("dns:a.example", "dns:b.example"), (), NOBODY)
    assert caught.value.rule == "name.count"


@pytest.mark.parametrize(
    ("common_name", "expected"),
    [
        ("WWW.example.org", ("dns:www.example.org",)),
        ("10.0.0.1", ("ip:10.0.0.1",)),
        ("alice@example.org", ("email:alice@example.org",)),
        ("Alice", ()),
        ("Alice Example", ()),
        ("dns.example.org ", ()),
    ],
)
def test_the_common_name_joins(common_name: str, expected: tuple[str, ...]) -> None:
    profile = replace(ANY, cn_into_san=True)
    assert select_names(profile, (), (), dn(("CN", common_name))) == names(*expected)
    assert select_names(ANY, (), (), dn(("CN", common_name))) == ()


def test_the_common_name_obeys_the_rules_too() -> None:
    profile = replace(
        ANY, cn_into_san=True, san=(SanRule(NameKind.DNS, suffixes=(".example.org",)),)
    )
    with pytest.raises(BadName) as caught:
        select_names(profile, names("dns:a.example.org"), (), dn(("CN", "www.evil.org")))
    assert (caught.value.field, caught.value.rule) == ("subject.CN", "name.suffix")
    assert select_names(profile, (), (), dn(("CN", "10.0.0.1"))) == ()


def test_a_mailbox_of_the_subject_joins() -> None:
    subject = dn(("emailAddress", "alice@example.org"))
    assert select_names(ANY, (), (), subject) == names("email:alice@example.org")
    with pytest.raises(BadName) as caught:
        select_names(with_rule(NameKind.DNS), (), (), subject)
    assert caught.value.field == "subject.emailAddress"


def test_a_server_needs_an_identity() -> None:
    profile = replace(ANY, extended_key_usage=(EKU_NAMES["serverAuth"],))
    assert select_names(profile, names("ip:10.0.0.1"), (), NOBODY)
    with pytest.raises(BadName) as caught:
        select_names(profile, names("email:a@example.org"), (), NOBODY)
    assert caught.value.rule == "name.server-identity"


SERVER = replace(ANY, extended_key_usage=(EKU_NAMES["serverAuth"],))


def test_the_common_name_of_a_server_is_in_its_san() -> None:
    """A CN outside the SAN was validated by nobody."""
    asked = names("dns:www.example.org", "ip:10.0.0.1")
    for common_name in ("www.Example.org", "10.0.0.1"):
        assert select_names(SERVER, asked, (), dn(("CN", common_name))) == asked
    for profile in (SERVER, replace(SERVER, cn_into_san=True)):
        with pytest.raises(BadName) as caught:
            select_names(profile, asked, (), dn(("CN", "My Web Server")))
        assert (caught.value.field, caught.value.rule) == ("subject.CN", "name.cn-in-san")
    with pytest.raises(BadName):
        select_names(SERVER, asked, (), dn(("CN", "other.example.org")))


def test_a_server_may_be_called_by_a_single_label() -> None:
    profile = replace(SERVER, cn_into_san=True)
    assert select_names(profile, (), (), dn(("CN", "Web1"))) == names("dns:web1")
