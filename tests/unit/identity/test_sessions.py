"""Sessions of browsers: begun, resumed, moved to a new cookie, ended, and by whom."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from people import PASSWORD, SteppedClock, refused

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import (
    BadRequest,
    LockedOut,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import (
    SYSTEM,
    AuthMethod,
    ClientCertificate,
    Permission,
    Principal,
    Role,
)
from chancery.domain.web_session import Proof, SessionState
from chancery.services.identity import IdentityService
from chancery.services.identity.sessions import Opened, Resumed

ORIGIN = "192.0.2.7"
NEW = "another passphrase of some words"


def begin(identity: IdentityService, name: str = "rita") -> Opened:
    return identity.sessions.begin(name, PASSWORD, ORIGIN, "Mozilla/5.0\x00 (test)")


def resume(identity: IdentityService, opened: Opened) -> Resumed:
    found = identity.sessions.resume(opened.cookie, ORIGIN)
    assert found is not None
    return found


def who(identity: IdentityService, name: str) -> Principal:
    return resume(identity, begin(identity, name)).principal


def actions(store: SqlStore) -> list[str]:
    with store.read() as session:
        return [record.event.action for record in session.audit.find(limit=1000)]


def test_the_right_password_opens_a_session(
    identity: IdentityService, store: SqlStore, clock: SteppedClock
) -> None:
    opened = begin(identity)

    assert len(opened.cookie) == 43
    assert opened.session.state is SessionState.OPEN
    assert opened.session.methods == (Proof.PASSWORD,)
    assert opened.session.agent == "Mozilla/5.0 (test)"
    found = resume(identity, opened)
    assert found.session == opened.session
    assert found.principal.name == "rita"
    assert found.principal.method is AuthMethod.SESSION
    assert found.principal.roles == {Role.REQUESTER}
    assert found.fresh
    assert found.principal.fresh
    with store.read() as session:
        event = session.audit.find(limit=1)[0].event
    assert (event.action, event.actor, event.details["shown"]) == (
        "login.succeeded", "rita", ["password"],
    )  # fmt: skip


def test_the_cookie_itself_is_nowhere_on_record(identity: IdentityService, store: SqlStore) -> None:
    opened = begin(identity)
    with store.read() as session:
        found = session.web_sessions.get(opened.session.id)
    assert found is not None
    assert opened.cookie not in repr(found)


@pytest.mark.parametrize("cookie", ["", "x", "\ud800", "x" * 100_000, "a\x00b"])
def test_a_cookie_nobody_gave_out_is_nobody(identity: IdentityService, cookie: str) -> None:
    begin(identity)
    assert identity.sessions.resume(cookie, ORIGIN) is None
    identity.sessions.end(cookie, ORIGIN)


def test_a_wrong_password_opens_nothing_and_counts(identity: IdentityService) -> None:
    for _ in range(3):
        with refused(NotAuthenticated, "password"):
            identity.sessions.begin("rita", "wrong", ORIGIN)
    with refused(LockedOut, "FIA_AFL.1"):
        begin(identity)


def test_idle_too_long(identity: IdentityService, clock: SteppedClock) -> None:
    opened = begin(identity)
    clock.now += 30 * 60
    assert identity.sessions.resume(opened.cookie, ORIGIN)
    identity.sessions.sweep()
    clock.now += 30 * 60 + 1
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None
    assert identity.sessions.sweep() == 1


def test_used_all_day_it_ends_all_the_same(identity: IdentityService, clock: SteppedClock) -> None:
    opened = begin(identity)
    for _ in range(12 * 3 - 1):
        clock.now += 20 * 60
        resume(identity, opened)
        identity.sessions.sweep()  # waits for the note of the time it was seen
    clock.now += 20 * 60
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None


def test_seen_is_written_once_a_minute_at_most(
    identity: IdentityService, store: SqlStore, clock: SteppedClock
) -> None:
    opened = begin(identity)
    clock.now += 59
    resume(identity, opened)
    identity.sessions.sweep()
    assert resume(identity, opened).session.seen_at == clock.now - 59
    clock.now += 1
    resume(identity, opened)
    identity.sessions.sweep()
    assert resume(identity, opened).session.seen_at == clock.now


def test_what_an_account_may_do_is_looked_up_each_time(identity: IdentityService) -> None:
    opened = begin(identity)
    identity.groups.create(SYSTEM, "approvers")
    identity.groups.add_member(SYSTEM, "approvers", "rita")
    assert resume(identity, opened).principal.groups == {"approvers"}


@pytest.mark.parametrize(
    "change",
    [
        lambda i: i.users.edit(SYSTEM, "rita", disabled=True),
        lambda i: i.users.set_password(SYSTEM, "rita", NEW),
        lambda i: i.users.grant(SYSTEM, "rita", Role.RA_OFFICER),
        lambda i: i.users.withdraw(SYSTEM, "rita", Role.REQUESTER),
        lambda i: i.groups.add_member(SYSTEM, "deciders", "rita"),
        lambda i: i.factors.reset(SYSTEM, "rita"),
        lambda i: i.users.delete(SYSTEM, "rita"),
    ],
)
def test_changes_to_the_account_end_its_sessions(
    identity: IdentityService, change: Callable[[IdentityService], object]
) -> None:
    identity.groups.create(SYSTEM, "deciders", roles=[Role.RA_OFFICER])
    opened, other = begin(identity), begin(identity, "oscar")
    change(identity)
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None
    assert identity.sessions.resume(other.cookie, ORIGIN)


@pytest.mark.parametrize(
    "change",
    [
        lambda i: i.groups.remove_member(SYSTEM, "deciders", "oscar"),
        lambda i: i.groups.delete(SYSTEM, "deciders"),
    ],
)
def test_leaving_a_group_with_roles_ends_them(
    identity: IdentityService, change: Callable[[IdentityService], object]
) -> None:
    identity.groups.create(SYSTEM, "deciders", roles=[Role.RA_OFFICER])
    identity.groups.add_member(SYSTEM, "deciders", "oscar")
    opened = begin(identity, "oscar")
    change(identity)
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None


def test_an_account_disabled_behind_our_back_counts_at_once(
    identity: IdentityService, store: SqlStore
) -> None:
    opened = begin(identity)
    with store.read() as session:
        user = session.identities.user("rita")
    assert user is not None
    store.write(lambda s: s.identities.update_user(replace(user, disabled=True)))
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None


def test_signing_out(identity: IdentityService, store: SqlStore) -> None:
    opened = begin(identity)
    identity.sessions.end(opened.cookie, ORIGIN)
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None
    assert actions(store)[0] == "session.ended"


def test_a_client_certificate_opens_a_session_by_itself(
    identity: IdentityService, store: SqlStore, clock: SteppedClock
) -> None:
    bound = ClientCertificate("rita", "ab" * 32, "CN=rita", clock.now + 1000, clock.now)
    store.write(lambda s: s.identities.add_client_certificate(bound))
    opened = identity.sessions.by_certificate("ab" * 32, ORIGIN)
    assert opened.session.methods == (Proof.CERTIFICATE,)
    assert resume(identity, opened).principal.name == "rita"
    with refused(NotAuthenticated, "certificate.bound"):
        identity.sessions.by_certificate("cd" * 32, ORIGIN)


def test_a_provider_opens_a_session_of_an_account_that_may_sign_in(
    identity: IdentityService,
) -> None:
    assert identity.sessions.by_provider("rita", ORIGIN).session.methods == (Proof.PROVIDER,)
    identity.users.edit(SYSTEM, "rita", disabled=True)
    for name in ("rita", "nobody"):
        with refused(NotAuthenticated, "provider"):
            identity.sessions.by_provider(name, ORIGIN)


def test_the_oldest_ends_where_an_account_has_too_many(identity: IdentityService) -> None:
    opened = [begin(identity) for _ in range(21)]
    assert identity.sessions.resume(opened[0].cookie, ORIGIN) is None
    assert identity.sessions.resume(opened[1].cookie, ORIGIN)


def test_listing_and_ending(identity: IdentityService, store: SqlStore) -> None:
    first, second = begin(identity), begin(identity)
    rita = resume(identity, first).principal
    assert [web.id for web in identity.sessions.of(rita)] == [second.session.id, first.session.id]
    identity.sessions.end_one(rita, second.session.id)
    assert identity.sessions.resume(second.cookie, ORIGIN) is None
    with refused(NotFound, "session.known"):
        identity.sessions.end_one(rita, second.session.id)

    ada = who(identity, "ada")
    assert [web.id for web in identity.sessions.of(ada, "rita")] == [first.session.id]
    identity.sessions.end_all(ada, "rita")
    assert identity.sessions.resume(first.cookie, ORIGIN) is None
    assert identity.sessions.of(ada, "rita") == []
    assert actions(store)[:2] == ["sessions.ended", "session.ended"]


@pytest.mark.parametrize("name", ["oscar", "olga", "audrey"])
def test_only_administrators_see_and_end_those_of_others(
    identity: IdentityService, name: str
) -> None:
    opened = begin(identity)
    other = who(identity, name)
    with refused(NotPermitted, "identity.manage"):
        identity.sessions.of(other, "rita")
    with refused(NotPermitted, "identity.manage"):
        identity.sessions.end_all(other, "rita")
    with refused(NotPermitted, "identity.manage"):
        identity.sessions.end_one(other, opened.session.id, "rita")
    with refused(NotFound, "session.known"):
        identity.sessions.end_one(other, opened.session.id)
    assert identity.sessions.resume(opened.cookie, ORIGIN)


# Passwords that must be changed


def test_a_password_that_must_be_changed_does_nothing_else(identity: IdentityService) -> None:
    identity.users.set_password(SYSTEM, "rita", PASSWORD, must_change=True)
    opened = begin(identity)
    assert opened.session.state is SessionState.MUST_CHANGE_PASSWORD
    principal = resume(identity, opened).principal
    assert principal.permissions == {Permission.PUBLIC, Permission.AUTHENTICATED}
    assert not principal.roles
    with refused(BadRequest, "password.same"):
        identity.sessions.change_password(opened.cookie, PASSWORD, PASSWORD, ORIGIN)
    with refused(BadRequest, "password.current"):
        identity.sessions.change_password(opened.cookie, "wrong", NEW, ORIGIN)

    changed = identity.sessions.change_password(opened.cookie, PASSWORD, NEW, ORIGIN)
    assert changed.session.state is SessionState.OPEN
    assert resume(identity, changed).principal.roles == {Role.REQUESTER}
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None
    assert identity.sessions.begin("rita", NEW, ORIGIN).session.open
    with refused(NotAuthenticated, "password"):
        begin(identity)


def test_it_holds_for_basic_authentication_too(identity: IdentityService) -> None:
    identity.users.create(
        SYSTEM, "newcomer", roles=[Role.RA_OFFICER], password=PASSWORD, must_change=True
    )
    principal = identity.authenticate_password("newcomer", PASSWORD, ORIGIN)
    assert principal.permissions == {Permission.PUBLIC, Permission.AUTHENTICATED}
    with refused(NotPermitted, "account.unfinished"):
        identity.tokens.create(principal)
    identity.users.set_password(principal, "newcomer", NEW, PASSWORD)
    principal = identity.authenticate_password("newcomer", NEW, ORIGIN)
    assert principal.roles == {Role.RA_OFFICER}


def test_changing_it_ends_the_other_sessions(identity: IdentityService) -> None:
    here, elsewhere = begin(identity), begin(identity)
    changed = identity.sessions.change_password(here.cookie, PASSWORD, NEW, ORIGIN)
    assert resume(identity, changed).session.id == here.session.id
    assert identity.sessions.resume(elsewhere.cookie, ORIGIN) is None
    assert identity.sessions.resume(here.cookie, ORIGIN) is None


def test_an_unfinished_sign_in_is_given_minutes(
    identity: IdentityService, clock: SteppedClock
) -> None:
    identity.users.set_password(SYSTEM, "rita", PASSWORD, must_change=True)
    opened = begin(identity)
    clock.now += 10 * 60
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None


# Stepping up


def test_stepping_up_by_password(identity: IdentityService, clock: SteppedClock) -> None:
    opened = begin(identity)
    clock.now += 5 * 60 + 1
    found = resume(identity, opened)
    assert not found.fresh
    assert not found.principal.fresh
    ways = identity.sessions.step_up_ways(opened.cookie)
    assert ways is not None
    assert (ways.name, ways.password, ways.totp, ways.passkey, ways.outside) == (
        "rita", True, False, False, None,
    )  # fmt: skip
    with refused(NotAuthenticated, "password"):
        identity.sessions.step_up_password(opened.cookie, "wrong", ORIGIN)

    again = identity.sessions.step_up_password(opened.cookie, PASSWORD, ORIGIN)
    assert again.session.csrf == opened.session.csrf  # forms that stand open go on
    assert resume(identity, again).fresh
    assert identity.sessions.step_up_ways(again.cookie) is None
    # Whoever stole the former cookie has nothing.
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None
    with refused(NotAuthenticated, "session"):
        identity.sessions.step_up_password(opened.cookie, PASSWORD, ORIGIN)


def test_stepping_up_as_somebody_else(identity: IdentityService) -> None:
    opened = begin(identity)
    with refused(BadRequest, "step-up.name"):
        identity.sessions.step_up_password(opened.cookie, PASSWORD, ORIGIN, "oscar")


def test_stepping_up_the_way_one_came(identity: IdentityService, clock: SteppedClock) -> None:
    opened = identity.sessions.by_provider("rita", ORIGIN)
    clock.now += 5 * 60 + 1
    ways = identity.sessions.step_up_ways(opened.cookie)
    assert ways is not None
    assert (ways.password, ways.outside) == (False, Proof.PROVIDER)
    with refused(NotPermitted, "step-up.method"):
        identity.sessions.step_up_password(opened.cookie, PASSWORD, ORIGIN)
    with refused(NotPermitted, "step-up.method"):
        identity.sessions.step_up_proven(opened.cookie, Proof.CERTIFICATE)
    assert resume(identity, identity.sessions.step_up_proven(opened.cookie, Proof.PROVIDER)).fresh


def test_stepping_up_before_one_is_in(identity: IdentityService) -> None:
    identity.users.set_password(SYSTEM, "rita", PASSWORD, must_change=True)
    opened = begin(identity)
    with refused(WrongState, "session.open"):
        identity.sessions.step_up_password(opened.cookie, PASSWORD, ORIGIN)
