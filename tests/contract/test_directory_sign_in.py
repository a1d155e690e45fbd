"""Signing in with a password that a real OpenLDAP keeps, and what becomes of the account."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from directories import plan_of, server_of
from factors import factor_tools
from people import PASSWORD, CountingHasher, SteppedClock, refused

from chancery.adapters.directory import LdapDirectory, LdapPlan
from chancery.adapters.storage import SqlStore
from chancery.domain.directory import Mapped, Mapping
from chancery.domain.errors import Conflict, LockedOut, NotAuthenticated, NotFound, Unavailable
from chancery.domain.identity import SYSTEM, Permission, Principal, Role
from chancery.services.access import demand
from chancery.services.identity import IdentityPolicy, IdentityService
from chancery.services.identity.sources import DirectorySource, Source
from services.instance import free_port
from services.slapd import PEOPLE, Slapd, dn_of, group_dn, password_of, person

ORIGIN = "192.0.2.9"
MAPPING = Mapping(
    (
        Mapped(group_dn("RA Officers"), frozenset({Role.RA_OFFICER}), frozenset({"officers"})),
        Mapped("auditors", frozenset({Role.AUDITOR})),
        Mapped("CN=staff, OU=Groups, DC=example, DC=org", frozenset({Role.REQUESTER})),
    ),
    names=True,
)


@dataclass
class House:
    """An identity service with directories, and an administrator who is local."""

    store: SqlStore
    clock: SteppedClock
    identity: IdentityService

    def signs_in(self, name: str, password: str | None = None) -> Principal:
        uid = name.lower().partition("@")[0]
        given = password_of(uid) if password is None else password
        return self.identity.authenticate_password(name, given, ORIGIN)

    def later(self, seconds: int) -> None:
        self.clock.now += seconds

    def events(self, **where: str) -> list[str]:
        with self.store.read() as session:
            return [r.event.action for r in session.audit.find(**where, limit=1000)][::-1]


def source_of(
    plan: LdapPlan, name: str = "corp", mapping: Mapping = MAPPING, **more: Any
) -> DirectorySource:
    return DirectorySource(Source(name, name, f"@{name}", mapping), LdapDirectory(plan), **more)


@pytest.fixture
def engine_name() -> str:
    """The records these services keep are held to their contract on both engines elsewhere."""
    return "sqlite"


@pytest.fixture
def open_house(store: SqlStore) -> Callable[..., House]:
    def made(*sources: DirectorySource) -> House:
        clock = SteppedClock()
        identity = IdentityService(
            store,
            CountingHasher(),
            clock,
            secrets.token_bytes,
            IdentityPolicy(max_failures=3, lock_s=600, token_cache_ms=0),
            tools=factor_tools(),
            directories=sources,
        )
        identity.users.create(SYSTEM, "ada", roles=[Role.ADMINISTRATOR], password=PASSWORD)
        identity.groups.create(SYSTEM, "officers")
        return House(store, clock, identity)

    return made


@pytest.fixture
def house(directory_server: Slapd, open_house: Callable[..., House]) -> House:
    return open_house(source_of(plan_of(directory_server)))


@pytest.fixture
def newcomer(directory_server: Slapd) -> Iterator[str]:
    """Somebody of the RA officers, whom the test may change; gone afterwards."""
    uid = f"new{secrets.token_hex(4)}"
    dn = dn_of(uid.capitalize())
    directory_server.add(person(uid))
    directory_server.join(group_dn("Deputies"), dn)
    yield uid
    directory_server.remove_entry(dn)


def test_the_first_sign_in_makes_the_account(house: House) -> None:
    alice = house.signs_in("alice")
    assert alice.name == "alice@corp"
    assert alice.roles == {Role.RA_OFFICER, Role.REQUESTER}
    assert alice.groups == {"officers"}
    demand(alice, Permission.REQUEST_DECIDE)
    user = house.identity.users.show(SYSTEM, "alice@corp")
    assert (user.directory, user.password_hash) == ("corp", None)
    assert (user.display_name, user.email) == ("Alice Example", "alice@example.org")
    assert house.events(subject_id="alice@corp") == [
        "account.created", "role.granted", "role.granted", "group.joined", "login.succeeded",
    ]  # fmt: skip
    assert house.signs_in("alice@corp").name == "alice@corp"
    assert house.signs_in("ALICE@CORP").name == "alice@corp"
    assert house.events(subject_id="alice@corp")[5:] == ["login.succeeded"] * 2


@pytest.mark.parametrize(
    "name", ["alice", "alice@corp", "nobody", "nobody@corp", "twin", "*", "ada"]
)
@pytest.mark.parametrize("password", ["wrong", "", "x" * 2000, "\ud800"])
def test_every_failure_sounds_alike(house: House, name: str, password: str) -> None:
    with refused(NotAuthenticated, "password"):
        house.signs_in(name, password)
    assert house.events(action="account.created") == ["account.created"]  # ada's


def test_a_known_and_an_unknown_name_are_locked_alike_however_written(house: House) -> None:
    house.signs_in("bob")
    for name in ("bob", "alice", "nobody", "ada"):
        for spelt in (name, f"{name}@corp", name.upper()):
            with refused(NotAuthenticated, "password"):
                house.signs_in(spelt if name != "ada" else name, "wrong")
        for spelt in (name, name.upper()):
            with refused(LockedOut, "FIA_AFL.1"):
                house.signs_in(spelt)
    house.later(601)
    assert house.signs_in("bob").name == "bob@corp"
    assert house.signs_in("alice").name == "alice@corp"


def test_a_local_account_is_never_shadowed(
    directory_server: Slapd, house: House, newcomer: str
) -> None:
    local = house.identity.users.create(SYSTEM, newcomer, password=PASSWORD, roles=[Role.REQUESTER])
    with refused(NotAuthenticated, "password"):
        house.signs_in(newcomer)  # the directory's password does not open the local account
    assert house.identity.authenticate_password(newcomer, PASSWORD, ORIGIN).name == local.name
    house.identity.users.create(SYSTEM, f"{newcomer}@corp", password=PASSWORD)
    with refused(NotAuthenticated, "password"):
        house.signs_in(f"{newcomer}@corp")
    marked = house.signs_in(f"{newcomer}@CORP")  # not the name of an account: the directory's
    assert marked.name.startswith(f"{newcomer}-")
    assert marked.name.endswith("@corp")


def test_whoever_gets_a_name_next_is_somebody_else(
    directory_server: Slapd, house: House, newcomer: str
) -> None:
    first = house.signs_in(newcomer)
    directory_server.remove_entry(dn_of(newcomer.capitalize()))
    directory_server.add(person(newcomer))
    house.later(61)
    second = house.signs_in(newcomer)
    assert second.name != first.name
    assert second.roles == frozenset()
    with refused(NotAuthenticated, "password"):
        house.signs_in(first.name)


def test_who_is_renamed_stays_who_they_are(
    directory_server: Slapd, house: House, newcomer: str
) -> None:
    first = house.signs_in(newcomer)
    directory_server.attribute(dn_of(newcomer.capitalize()), "uid", f"{newcomer}x")
    again = house.identity.authenticate_password(f"{newcomer}x", password_of(newcomer), ORIGIN)
    assert again.name == first.name


def test_groups_of_two_classes_are_refused_and_leave_nothing(
    directory_server: Slapd, house: House, newcomer: str
) -> None:
    dn = dn_of(newcomer.capitalize())
    house.signs_in(newcomer)
    directory_server.join(group_dn("Auditors"), dn)
    with refused(Conflict, "FMT_SMR.2"):
        house.signs_in(newcomer)
    user = house.identity.users.show(SYSTEM, f"{newcomer}@corp")
    assert not user.roles
    assert not user.groups
    directory_server.leave(group_dn("Deputies"), dn)
    assert house.signs_in(newcomer).roles == {Role.AUDITOR}


def test_a_token_loses_what_its_owner_loses_in_the_directory(
    directory_server: Slapd, house: House, newcomer: str
) -> None:
    principal = house.signs_in(newcomer)
    _, secret = house.identity.tokens.create(principal)
    decide = Permission.REQUEST_DECIDE
    assert decide in house.identity.authenticate_token(secret, ORIGIN).permissions

    directory_server.leave(group_dn("Deputies"), dn_of(newcomer.capitalize()))
    assert decide in house.identity.authenticate_token(secret, ORIGIN).permissions  # within 60 s
    house.later(60)
    assert decide not in house.identity.authenticate_token(secret, ORIGIN).permissions
    assert "role.withdrawn" in house.events(subject_id=principal.name)

    directory_server.join(group_dn("Deputies"), dn_of(newcomer.capitalize()))
    house.later(60)
    assert decide in house.identity.authenticate_token(secret, ORIGIN).permissions


@pytest.mark.parametrize("how", ["disabled", "removed"])
def test_who_has_left_opens_nothing_and_holds_nothing(
    directory_server: Slapd, house: House, newcomer: str, how: str
) -> None:
    dn = dn_of(newcomer.capitalize())
    principal = house.signs_in(newcomer)
    _, secret = house.identity.tokens.create(principal)
    session = house.identity.sessions.begin(newcomer, password_of(newcomer), ORIGIN)
    assert house.identity.sessions.resume(session.cookie, ORIGIN) is not None
    if how == "disabled":
        directory_server.attribute(dn, "employeeType", "left")
    else:
        directory_server.remove_entry(dn)
    house.later(60)
    with refused(NotAuthenticated, "directory.gone"):
        house.identity.authenticate_token(secret, ORIGIN)
    assert house.identity.sessions.resume(session.cookie, ORIGIN) is None
    with refused(NotAuthenticated, "password"):
        house.signs_in(newcomer)
    user = house.identity.users.show(SYSTEM, principal.name)
    assert not user.roles
    assert not user.groups


def test_while_the_directory_is_away_people_look_and_do_not_act(
    directory_server: Slapd, house: House
) -> None:
    principal = house.signs_in("alice")
    _, secret = house.identity.tokens.create(principal)
    session = house.identity.sessions.begin("alice", password_of("alice"), ORIGIN)
    with directory_server.away():
        assert not house.identity.authenticate_token(secret, ORIGIN).away  # its word is fresh
        house.later(60)
        resumed = house.identity.sessions.resume(session.cookie, ORIGIN)
        assert resumed is not None
        for found in (house.identity.authenticate_token(secret, ORIGIN), resumed.principal):
            demand(found, Permission.CERTIFICATE_READ)
            for permission in (Permission.REQUEST_DECIDE, Permission.REQUEST_SUBMIT):
                with pytest.raises(Unavailable, match="corp") as caught:
                    demand(found, permission)
                assert caught.value.rule == "directory.away"
            assert found.away == "corp"
        for name in ("alice@corp", "nobody@corp"):
            with refused(Unavailable, "directory.away"):
                house.signs_in(name)
        for name in ("alice", "nobody", "ada"):  # nobody hears which of them is local
            with pytest.raises(NotAuthenticated, match="corp knows them, which does not answer"):
                house.signs_in(name, "wrong")
        assert house.identity.authenticate_password("ada", PASSWORD, ORIGIN).name == "ada"
    for _ in range(20):  # the adapter keeps real time: a moment passes before it asks again
        house.later(6)
        if not house.identity.authenticate_token(secret, ORIGIN).away:
            break
        time.sleep(0.05)
    assert house.identity.authenticate_token(secret, ORIGIN).permissions >= principal.permissions


def test_the_password_is_not_ours_to_set(house: House) -> None:
    house.signs_in("alice")
    with refused(Conflict, "directory.password"):
        house.identity.users.set_password(SYSTEM, "alice@corp", PASSWORD)
    session = house.identity.sessions.begin("alice", password_of("alice"), ORIGIN)
    with refused(Conflict, "directory.password"):
        house.identity.sessions.change_password(
            session.cookie, password_of("alice"), PASSWORD, ORIGIN
        )


def test_what_the_directory_governs_is_not_given_or_taken_here(house: House) -> None:
    house.signs_in("erin")
    users, groups = house.identity.users, house.identity.groups
    with refused(Conflict, "directory.governs"):
        users.grant(SYSTEM, "erin@corp", Role.RA_OFFICER)
    with refused(Conflict, "directory.governs"):
        groups.add_member(SYSTEM, "officers", "erin@corp")
    users.grant(SYSTEM, "erin@corp", Role.ADMINISTRATOR)  # no group there means this
    assert house.signs_in("erin").roles == {Role.ADMINISTRATOR}
    with refused(Conflict, "identity.last-administrator"):
        users.edit(SYSTEM, "ada", disabled=True)  # erin's directory could be away


def test_an_account_disabled_here_stays_shut(house: House) -> None:
    house.signs_in("alice")
    house.identity.users.edit(SYSTEM, "alice@corp", disabled=True)
    for name in ("alice", "alice@corp"):
        with refused(NotAuthenticated, "password"):
            house.signs_in(name)


def test_a_session_with_two_steps_and_a_fresh_proof(house: House) -> None:
    opened = house.identity.sessions.begin("alice", password_of("alice"), ORIGIN)
    house.later(301)
    sessions = house.identity.sessions
    ways = sessions.step_up_ways(opened.cookie)
    assert ways is not None
    assert ways.password
    with refused(NotAuthenticated, "password"):
        sessions.step_up_password(opened.cookie, "wrong", ORIGIN)
    stepped = sessions.step_up_password(opened.cookie, password_of("alice"), ORIGIN)
    resumed = sessions.resume(stepped.cookie, ORIGIN)
    assert resumed is not None
    assert resumed.fresh


def test_several_directories_in_order_and_by_suffix(
    directory_server: Slapd, open_house: Callable[..., House]
) -> None:
    plan = plan_of(directory_server)
    staff = plan_of(directory_server, active_filter=f"(memberOf={group_dn('Staff')})")
    hidden = source_of(plan, "hidden", Mapping(), searched=False)
    house = open_house(source_of(staff, "staff"), source_of(plan, "all", Mapping()), hidden)
    assert house.signs_in("alice").name == "alice@staff"
    assert house.signs_in("erin").name == "erin@all"
    assert house.signs_in("alice@all").name == "alice@all"
    assert house.signs_in("erin@hidden").name == "erin@hidden"
    with refused(NotAuthenticated, "password"):
        house.signs_in("erin@staff")


def test_the_next_directory_is_not_asked_when_the_first_is_away(
    directory_server: Slapd, open_house: Callable[..., House]
) -> None:
    plan = plan_of(directory_server)
    dead = plan_of(directory_server, servers=(server_of(f"ldaps://127.0.0.1:{free_port()}"),))
    house = open_house(source_of(dead, "first"), source_of(plan, "second"))
    with pytest.raises(NotAuthenticated, match="the directory first knows them"):
        house.signs_in("alice")
    assert house.signs_in("alice@second").name == "alice@second"


def test_a_directory_that_left_the_settings_vouches_for_nobody(
    directory_server: Slapd, open_house: Callable[..., House], house: House
) -> None:
    _, secret = house.identity.tokens.create(house.signs_in("alice"))
    fewer = IdentityService(
        house.store, CountingHasher(), house.clock, secrets.token_bytes, tools=factor_tools()
    )
    with refused(NotAuthenticated, "directory.gone"):
        fewer.authenticate_token(secret, ORIGIN)
    with refused(NotAuthenticated, "password"):
        fewer.authenticate_password("alice@corp", password_of("alice"), ORIGIN)


def test_idle_accounts_are_asked_about_as_well(
    directory_server: Slapd, house: House, newcomer: str
) -> None:
    names = [house.signs_in(name).name for name in ("alice", "bob", newcomer)]
    directory_server.remove_entry(dn_of(newcomer.capitalize()))
    house.later(60)
    assert [house.identity.directories.review(2) for _ in range(3)] == [0, 1, 0]
    assert not house.identity.users.show(SYSTEM, names[2]).roles
    assert house.identity.users.show(SYSTEM, names[0]).roles


class Counting(LdapDirectory):
    """Notes what it is asked."""

    def __init__(self, plan: LdapPlan) -> None:
        super().__init__(plan)
        self.asked: list[str] = []

    def _somewhere(self, work: Any, *, own: bool = True) -> Any:
        self.asked.append("search" if own else "bind")
        return super()._somewhere(work, own=own)


def test_every_failure_asks_the_same_questions(
    directory_server: Slapd, open_house: Callable[..., House]
) -> None:
    """What takes time in a sign-in: a hash, a search, a bind.  No name saves or costs one."""
    directory = Counting(plan_of(directory_server))
    house = open_house(DirectorySource(Source("corp", "corp", "@corp", MAPPING), directory))
    house.signs_in("bob")
    seen = {}
    for name in ("ada", "bob", "bob@corp", "alice", "nobody", "nobody@corp", "twin", "A*)("):
        directory.asked.clear()
        with refused(NotAuthenticated, "password"):
            house.signs_in(name, "wrong")
        seen[name] = list(directory.asked)
    assert set(map(tuple, seen.values())) == {("search", "bind")}, seen


def test_administrators_see_directories_and_try_them(house: House) -> None:
    ada = house.identity.authenticate_password("ada", PASSWORD, ORIGIN)
    house.signs_in("alice")
    (view,) = house.identity.directories.list(ada)
    assert (view.name, view.suffix, view.accounts) == ("corp", "@corp", 1)
    assert house.identity.directories.check(ada, "corp").servers[0].well
    shown = house.identity.directories.check(ada, "corp", "carol").person
    assert shown is not None
    assert (shown.account, shown.roles, shown.dn) == (
        "carol@corp", ("auditor", "requester"), dn_of("Carol"),
    )  # fmt: skip
    with refused(NotFound, "directory.known"):
        house.identity.directories.check(ada, "other")
    with refused(NotFound, "directory.person"):
        house.identity.directories.check(ada, "corp", "nobody")
    assert PEOPLE in shown.dn
