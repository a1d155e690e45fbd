"""Names of a directory, compared as the directory would; and what its groups mean here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain import directory_names
from chancery.domain.directory import Mapped, Mapping, Person, Standing
from chancery.domain.errors import BadName
from chancery.domain.identity import Role
from chancery.services.identity.policy import ACCOUNT_NAME
from chancery.services.identity.sources import Source

SAME = [
    # RFC 4514 §4 and RFC 2253 §5: different texts, one name.
    ["UID=jsmith,DC=example,DC=net", "uid = jsmith , dc=EXAMPLE;dc=net", "userid=JSmith,DC=example,DC=net"],
    ["OU=Sales+CN=J.  Smith,DC=example,DC=net", "cn=j. smith+ou=sales,dc=example,dc=net"],
    [r"CN=James \"Jim\" Smith\, III,DC=example,DC=net", r"cn=james \22jim\22 smith\2c iii,dc=example,dc=net"],
    [r"CN=Before\0dAfter,DC=example,DC=net", r"cn=before\0Dafter,dc=example,dc=net"],
    [r"CN=Lu\C4\8Di\C4\87", "cn=Lučić"],
    ['cn="Smith, J",o=x', r"CN=Smith\, J,O=x"],
    ["2.5.4.3=x,2.5.4.11=y", "cn=x,ou=y", "commonName=X,organizationalUnitName=Y"],
]  # fmt: skip


@pytest.mark.parametrize("texts", SAME, ids=lambda texts: texts[0])
def test_one_name_however_it_is_written(texts: list[str]) -> None:
    assert len({directory_names.parse(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cn=a,ou=b", "cn=a,ou=c"),
        ("cn=a,ou=b", "ou=b,cn=a"),
        ("cn=a,ou=b", "cn=a+ou=b"),
        (r"cn=a\,ou\=b", "cn=a,ou=b"),
        ("cn=a,ou=b", "cn=a"),
        (r"cn=\61\2cou=x", "cn=a,ou=x"),
    ],
)
def test_two_names(first: str, second: str) -> None:
    assert directory_names.parse(first) != directory_names.parse(second)


@pytest.mark.parametrize(
    "text",
    ["", "RA Officers", "=x", "cn", "cn=a,", "cn=a,,ou=b", "cn=a\\", r"cn=\zz", r"cn=\ff",
     'cn="a', 'cn="a"b', "cn=" + "x" * 9000, "1cn=x"],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    assert not directory_names.is_name(text)


@given(st.text())
def test_never_fails_in_an_unplanned_way(text: str) -> None:
    try:
        name = directory_names.parse(text)
    except BadName:
        return
    assert name


@given(st.text(min_size=1).filter(lambda text: text.strip() and text.isprintable()))
def test_every_value_can_be_written(value: str) -> None:
    written = "".join(f"\\{octet:02x}" for octet in value.encode())
    assert directory_names.parse(f"cn={written}") == (
        frozenset({("cn", directory_names.folded(value))}),
    )


MAPPING = Mapping(
    (
        Mapped("CN=RA Officers,OU=Groups,DC=example", frozenset({Role.RA_OFFICER})),
        Mapped("auditors", frozenset({Role.AUDITOR}), frozenset({"readers"})),
    ),
    names=True,
)


def test_groups_by_name_and_by_common_name() -> None:
    officers = Standing(frozenset({Role.RA_OFFICER}), frozenset())
    assert MAPPING.standing(["cn=ra  officers, ou=groups, dc=EXAMPLE"]) == officers
    assert not MAPPING.standing(["cn=ra officers,ou=elsewhere,dc=example"]).roles
    assert MAPPING.standing(["cn=Auditors,ou=anywhere"]).groups == {"readers"}
    assert not MAPPING.standing(["ou=auditors", "auditors", "uid=auditors,cn=x"]).roles
    assert MAPPING.governed.roles == {Role.RA_OFFICER, Role.AUDITOR}


def test_groups_of_a_provider_are_compared_as_they_are() -> None:
    mapping = Mapping((Mapped("Admins", frozenset({Role.ADMINISTRATOR})),))
    assert mapping.standing(["Admins"]).roles
    assert not mapping.standing(["admins", "cn=Admins"]).roles


SOURCE = Source("corp", "corp", "@corp", MAPPING)


@given(st.text(), st.text(alphabet="ab", min_size=1))
def test_every_account_has_a_name_that_an_account_may_have(login: str, subject: str) -> None:
    person = Person(subject, login, "", "", ())
    for name in SOURCE.account_names(person):
        assert ACCOUNT_NAME.fullmatch(name)
        assert name.endswith("@corp")


def test_two_people_whose_logins_look_alike_stay_two() -> None:
    names = {
        SOURCE.account_names(Person(f"{number}", login, "", "", ()))[0]
        for number, login in enumerate(["a b", "a-b", "a_b!", "ä-b", "a/b", "A-B-", "x" * 200])
    }
    assert len(names) == 7
