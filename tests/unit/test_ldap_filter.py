"""Search filters: the text that operators write, and the octets that directories read."""

import pytest
from asn1crypto.core import load
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.wire import ldap_filter


@pytest.mark.parametrize(
    "text",
    [
        "", "cn=x", "(cn=x", "(cn=x))", "(cn=x)(cn=y)", "()", "(&)", "(|)", "(!)", "(!(a=b)(c=d))",
        "(=x)", "(cn=a(b)", "(cn=a\x00)", r"(cn=\4)", r"(cn=\zz)", "(cn=a**b)", "(cn=**)", "(:=x)",
        "(:dn:=x)", "(1cn=x)", "(&(cn=x)", "(" * 50 + "cn=x" + ")" * 50, "(!" * 30 + "(a=b)" + ")" * 30,
        "(cn=" + "x" * 5000 + ")",
    ],
)  # fmt: skip
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(BadRequest):
        ldap_filter.parse(text)


@given(st.text())
def test_no_value_changes_what_is_asked(value: str) -> None:
    template = ldap_filter.parse("(&(objectClass=person)(|(uid={login})(mail={login}@*)))")
    assert template.places == {"login"}
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        return
    asked = template.encode(login=value)
    plain = "".join(f"\\{octet:02x}" for octet in octets)
    same = ldap_filter.parse(f"(&(objectClass=person)(|(uid={plain})(mail={plain}@*)))")
    assert asked == same.encode()


@given(st.text(alphabet="()&|!*=:<>~\\{}abdn2.\x00 é"))
def test_never_fails_in_an_unplanned_way(text: str) -> None:
    try:
        found = ldap_filter.parse(text)
    except BadRequest:
        return
    load(found.encode(**dict.fromkeys(found.places, "x")), strict=True)


def test_two_filters_that_both_must_hold() -> None:
    first, second = ldap_filter.parse("(uid={login})"), ldap_filter.parse("(active=yes)")
    assert ldap_filter.both(first, None) is first
    merged = ldap_filter.both(first, second)
    assert merged.encode(login="a") == ldap_filter.parse("(&(uid=a)(active=yes))").encode()
    assert ldap_filter.parse(merged.text).encode(login="a") == merged.encode(login="a")
