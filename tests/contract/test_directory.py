"""A directory over LDAP, against a real OpenLDAP."""

import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from directories import plan_of, server_of

from chancery.adapters.directory import LdapDirectory, LdapPlan
from chancery.adapters.directory.connection import connected, tls_context
from chancery.adapters.directory.plan import Nesting
from chancery.domain.errors import Conflict, Unavailable
from services.instance import free_port
from services.slapd import (
    GROUPS,
    PEOPLE,
    READER,
    READER_PASSWORD,
    Slapd,
    dn_of,
    group,
    group_dn,
    password_of,
    person,
)
from services.tls_files import Authority


@pytest.fixture
def plan(directory_server: Slapd) -> LdapPlan:
    return plan_of(directory_server)


@pytest.fixture
def directory(plan: LdapPlan) -> LdapDirectory:
    return LdapDirectory(plan)


@pytest.fixture
def newcomer(directory_server: Slapd) -> Iterator[str]:
    """Somebody whom the test may change; gone afterwards."""
    uid = f"new{secrets.token_hex(4)}"
    directory_server.add(person(uid))
    yield uid
    directory_server.delete(dn_of(uid.capitalize()))


@pytest.mark.parametrize("scheme", ["ldaps", "starttls"])
def test_finds_a_person_and_proves_the_password(
    directory_server: Slapd, plan: LdapPlan, scheme: str
) -> None:
    server = server_of(getattr(directory_server, scheme))
    directory = LdapDirectory(replace(plan, servers=(server,)))
    alice = directory.find("alice")
    assert alice is not None
    assert alice.dn == dn_of("Alice")
    assert (alice.login, alice.display_name) == ("alice", "Alice Example")
    assert alice.email == "alice@example.org"
    assert len(alice.subject) == 36
    assert directory.proves(alice, password_of("alice"))
    assert not directory.proves(alice, password_of("bob"))
    assert directory.again(alice.subject) == alice
    assert str(directory.examine()[0]).startswith(f"{server}: answers as it should, ")


def test_groups_through_groups_and_a_ring_among_them(plan: LdapPlan) -> None:
    names = {group_dn(name) for name in ("Staff", "Deputies", "Seniors", "RA Officers")}
    alice = LdapDirectory(plan).find("alice")
    assert alice is not None
    assert set(alice.groups) == names
    flat = LdapDirectory(replace(plan, nesting=Nesting.NONE)).find("alice")
    assert flat is not None
    assert set(flat.groups) == {group_dn("Staff"), group_dn("Deputies")}
    none = LdapDirectory(replace(plan, group_base="")).find("alice")
    assert none is not None
    assert none.groups == ()


def test_an_empty_password_is_never_even_sent(directory: LdapDirectory) -> None:
    # RFC 4513 §5.1.2: a server takes it for an anonymous bind, and says yes.
    alice = directory.find("alice")
    assert not directory.proves(alice, "")


@pytest.mark.parametrize(
    "login",
    [
        "*", "ali*", "alice)(uid=*", "*)(objectClass=*", "alice)(|(uid=*", "\\2a", "alice\x00", "",
        "alice)(&)", "(uid=alice)", "\\61lice", "nobody", "é" * 300, "{login}",
    ],
)  # fmt: skip
def test_a_name_cannot_change_the_question(directory: LdapDirectory, login: str) -> None:
    assert directory.find(login) is None


def test_a_name_with_every_special_character_is_found(directory: LdapDirectory) -> None:
    odd = directory.find("o'hara*(x)")
    assert odd is not None
    assert directory.proves(odd, password_of("o'hara*(x)"))


def test_case_and_spaces_do_not_make_another_person(directory: LdapDirectory) -> None:
    alice = directory.find("alice")
    assert directory.find("ALICE") == alice
    assert directory.find("  alice ") == alice  # RFC 4518: insignificant spaces


def test_two_people_of_one_name_are_nobody(directory: LdapDirectory) -> None:
    with pytest.raises(Conflict) as caught:
        directory.find("twin")
    assert caught.value.rule == "directory.several"
    assert directory.find("alice") is not None  # the directory itself is well


def test_nobody_costs_as_much_as_somebody(directory: LdapDirectory) -> None:
    assert not directory.proves(None, "whatever")


def test_who_is_not_active_is_not_there(
    directory_server: Slapd, directory: LdapDirectory, newcomer: str
) -> None:
    found = directory.find(newcomer)
    assert found is not None
    directory_server.attribute(found.dn, "employeeType", "left")
    assert directory.find(newcomer) is None
    assert directory.again(found.subject) is None
    directory_server.attribute(found.dn, "employeeType", "active")
    assert directory.again(found.subject) == found


def test_who_is_locked_there_is_not_there(
    directory_server: Slapd, plan: LdapPlan, newcomer: str
) -> None:
    directory = LdapDirectory(
        replace(plan, active_filter="(!(pwdAccountLockedTime=000001010000Z))")
    )
    found = directory.find(newcomer)
    assert found is not None
    directory_server.attribute(found.dn, "pwdAccountLockedTime", "000001010000Z")
    assert directory.again(found.subject) is None


def test_a_changed_name_is_still_the_same_person(
    directory_server: Slapd, directory: LdapDirectory, newcomer: str
) -> None:
    found = directory.find(newcomer)
    assert found is not None
    directory_server.attribute(found.dn, "uid", f"{newcomer}-smith")
    assert directory.find(newcomer) is None
    again = directory.again(found.subject)
    assert again == replace(found, login=f"{newcomer}-smith")


def test_a_condition_on_groups_of_the_person(directory_server: Slapd, plan: LdapPlan) -> None:
    staff = replace(plan, active_filter=f"(memberOf={group_dn('Staff')})")
    assert LdapDirectory(staff).find("alice") is not None
    assert LdapDirectory(staff).find("erin") is None


@pytest.mark.parametrize("scheme", ["ldaps", "starttls"])
def test_a_server_that_another_authority_certified_is_refused(
    directory_server: Slapd, plan: LdapPlan, scheme: str
) -> None:
    other = Authority.create("Another Root").pem.decode()
    server = server_of(getattr(directory_server, scheme))
    directory = LdapDirectory(replace(plan, ca=other, servers=(server,)))
    with pytest.raises(Unavailable, match="corp does not answer"):
        directory.find("alice")
    assert "certificate does not hold" in directory.examine()[0].said


def test_a_certificate_for_another_name_is_refused(directory_server: Slapd, plan: LdapPlan) -> None:
    # 127.0.0.2 leads to the same server, which is not certified for it.
    slapd = Slapd.create(directory_server.authority, hosts=("127.0.0.1", "127.0.0.2"))
    try:
        server = server_of(slapd.ldaps.replace("127.0.0.1", "127.0.0.2"))
        (said,) = LdapDirectory(replace(plan, servers=(server,))).examine()
        assert "IP address mismatch" in said.said
    finally:
        slapd.remove()


def test_a_name_with_addresses_of_both_families(directory_server: Slapd) -> None:
    port = directory_server.ldaps_port  # nobody listens there on ::1
    rows = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    ]
    server = server_of(f"ldaps://localhost:{port}")
    context = tls_context(directory_server.authority.pem.decode())
    with connected(server, context, 3, lambda *_, **__: rows) as link:
        assert link.bind(READER, READER_PASSWORD)


def test_an_address_of_the_sixth_version(plan: LdapPlan, directory_server: Slapd) -> None:
    slapd = Slapd.create(directory_server.authority, hosts=("[::1]",))
    try:
        for url in (slapd.ldaps, slapd.starttls):
            six = replace(plan, servers=(server_of(url),))
            assert LdapDirectory(six).find("alice") is not None
    finally:
        slapd.remove()


def test_the_next_server_serves_when_the_first_is_away(plan: LdapPlan) -> None:
    dead = server_of(f"ldaps://127.0.0.1:{free_port()}")
    directory = LdapDirectory(replace(plan, servers=(dead, *plan.servers)))
    assert directory.find("alice") is not None
    said = directory.examine()
    assert "refused" in said[0].said
    assert said[1].well


def test_down_and_back(directory_server: Slapd, directory: LdapDirectory) -> None:
    alice = directory.find("alice")
    with directory_server.away():
        with pytest.raises(Unavailable) as caught:
            directory.find("alice")
        assert caught.value.rule == "directory.away"
        assert caught.value.remedy
        started = time.monotonic()
        with pytest.raises(Unavailable):  # told at once, without another try
            directory.proves(alice, password_of("alice"))
        assert time.monotonic() - started < 0.1
    time.sleep(0.25)
    assert directory.find("alice") == alice


@pytest.mark.parametrize("scheme", ["ldaps", "starttls"])
def test_a_server_that_hangs_costs_its_time_out_and_no_more(
    directory_server: Slapd, plan: LdapPlan, scheme: str
) -> None:
    server = server_of(getattr(directory_server, scheme))
    directory = LdapDirectory(replace(plan, servers=(server,), timeout_s=0.5))
    with directory_server.frozen():
        started = time.monotonic()
        with pytest.raises(Unavailable):
            directory.find("alice")
        assert 0.4 < time.monotonic() - started < 2
    time.sleep(0.3)
    assert directory.find("alice") is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bind_password": "wrong"}, "refuses the password of cn=reader"),
        ({"base": f"ou=nowhere,{PEOPLE}"}, "cannot search ou=nowhere"),
        ({"group_base": f"ou=nowhere,{GROUPS}"}, "cannot search ou=nowhere"),
        ({"user_filter": "(|(uid={login})(cn=*))"}, "finds people whatever the name"),
    ],
)
def test_a_wrong_setting_is_found_by_examining(
    plan: LdapPlan, changes: dict[str, str], said: str
) -> None:
    (answer,) = LdapDirectory(replace(plan, **changes)).examine()  # type: ignore[arg-type]
    assert said in answer.said


def test_an_entry_without_an_identifier_is_refused_alone(plan: LdapPlan) -> None:
    directory = LdapDirectory(replace(plan, id_attribute="carLicense"))
    with pytest.raises(Conflict, match="shows no carLicense"):
        directory.find("alice")


def test_more_groups_than_the_directory_tells(
    directory_server: Slapd, plan: LdapPlan, newcomer: str
) -> None:
    member = dn_of(newcomer.capitalize())
    names = [f"{newcomer}-{number}" for number in range(51)]
    directory_server.add("".join(group(name, member) for name in names))
    try:
        with pytest.raises(Conflict) as caught:
            LdapDirectory(plan).find(newcomer)
        assert caught.value.rule == "directory.groups"
    finally:
        directory_server.delete(*map(group_dn, names))


def test_the_plan_does_not_show_its_password(plan: LdapPlan) -> None:
    assert plan.bind_password not in repr(plan)
