"""Two members signed in together: what counts, who may join, and when it is over."""

from collections.abc import Callable

import pytest
from factors import totp_code
from people import PASSWORD, SteppedClock, refused

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import (
    BadRequest,
    Conflict,
    LockedOut,
    NotAuthenticated,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import SYSTEM, ClientCertificate, Permission, Principal, Role
from chancery.domain.web_session import Proof
from chancery.services.identity import IdentityService
from chancery.services.identity.sessions import Opened, Resumed

ORIGIN = "192.0.2.7"


@pytest.fixture(autouse=True)
def pair(identity: IdentityService) -> None:
    """oscar and rita decide together only; otto is no member."""
    identity.groups.create(SYSTEM, "pair", roles=[Role.RA_OFFICER], logins_required=2)
    identity.users.create(SYSTEM, "otto", roles=[Role.RA_OFFICER], password=PASSWORD)
    for name in ("oscar", "rita"):
        identity.groups.add_member(SYSTEM, "pair", name)


def begin(identity: IdentityService, name: str) -> Opened:
    return identity.sessions.begin(name, PASSWORD, ORIGIN)


def resume(identity: IdentityService, opened: Opened) -> Resumed:
    found = identity.sessions.resume(opened.cookie, ORIGIN)
    assert found is not None
    return found


def join(identity: IdentityService, first: str = "rita", second: str = "oscar") -> Opened:
    opened = begin(identity, first)
    return identity.sessions.join_begin(opened.cookie, second, PASSWORD, ORIGIN)


def test_alone_the_membership_does_not_count(
    identity: IdentityService, store: SqlStore, clock: SteppedClock
) -> None:
    found = resume(identity, begin(identity, "rita"))
    assert found.waiting == ("pair",)
    _, token = identity.tokens.create(SYSTEM, owner="rita")
    bound = ClientCertificate("rita", "ab" * 32, "CN=rita", clock.now + 1000, clock.now)
    store.write(lambda s: s.identities.add_client_certificate(bound))
    for principal in (
        found.principal,
        identity.authenticate_token(token, ORIGIN),
        identity.authenticate_password("rita", PASSWORD, ORIGIN),
        identity.authenticate_certificate("ab" * 32, ORIGIN),
    ):
        assert principal.groups == frozenset()
        assert principal.roles == {Role.REQUESTER}
        assert Permission.REQUEST_DECIDE not in principal.permissions
        assert principal.partner == ""


def test_together_it_does(identity: IdentityService, store: SqlStore) -> None:
    alone = begin(identity, "rita")
    joint = identity.sessions.join_begin(alone.cookie, "oscar", PASSWORD, ORIGIN)

    assert joint.session.id == alone.session.id
    assert joint.session.people == ("rita", "oscar")
    assert joint.session.partner_methods == (Proof.PASSWORD,)
    assert joint.session.csrf != alone.session.csrf
    found = resume(identity, joint)
    assert found.waiting == ()
    principal = found.principal
    assert (principal.name, principal.partner) == ("rita", "oscar")
    assert principal.groups == {"pair"}
    assert principal.roles == {Role.REQUESTER, Role.RA_OFFICER}
    # The cookie of before the other came is worth nothing.
    assert identity.sessions.resume(alone.cookie, ORIGIN) is None
    with store.read() as session:
        event = session.audit.find(action="session.joined")[0].event
    assert (event.actor, event.subject_id) == ("rita", "oscar")
    assert event.details["partner"] == "oscar"


def test_what_they_do_is_on_record_under_both_names(
    identity: IdentityService, store: SqlStore
) -> None:
    principal = resume(identity, join(identity)).principal
    identity.tokens.create(principal)
    with store.read() as session:
        event = session.audit.find(action="token.created", limit=1)[0].event
    assert (event.actor, event.details["partner"]) == ("rita", "oscar")


def test_a_token_made_together_acts_alone(identity: IdentityService) -> None:
    principal = resume(identity, join(identity)).principal
    _, token = identity.tokens.create(principal)
    alone = identity.authenticate_token(token, ORIGIN)
    assert alone.groups == frozenset()
    assert Permission.REQUEST_DECIDE not in alone.permissions


def test_the_partners_own_roles_stay_their_own(identity: IdentityService) -> None:
    identity.users.grant(SYSTEM, "oscar", Role.ADMINISTRATOR)
    principal = resume(identity, join(identity)).principal
    assert Role.ADMINISTRATOR not in principal.roles


def test_the_second_is_somebody_else(identity: IdentityService) -> None:
    with refused(BadRequest, "joint.two-people"):
        join(identity, "rita", "rita")


@pytest.mark.parametrize("second", ["otto", "olga", "audrey", "ada"])
def test_the_second_is_a_member_too(identity: IdentityService, second: str) -> None:
    with refused(NotPermitted, "joint.group"):
        join(identity, "rita", second)


def test_a_group_that_requires_one_login_makes_no_pair(identity: IdentityService) -> None:
    identity.groups.create(SYSTEM, "ordinary")
    for name in ("rita", "otto"):
        identity.groups.add_member(SYSTEM, "ordinary", name)
    with refused(NotPermitted, "joint.group"):
        join(identity, "rita", "otto")


def test_two_and_no_more(identity: IdentityService) -> None:
    identity.groups.add_member(SYSTEM, "pair", "otto")
    joint = join(identity)
    with refused(WrongState, "joint.open"):
        identity.sessions.join_begin(joint.cookie, "otto", PASSWORD, ORIGIN)


def test_the_seconds_password_counts_like_any(identity: IdentityService) -> None:
    opened = begin(identity, "rita")
    for _ in range(3):
        with refused(NotAuthenticated, "password"):
            identity.sessions.join_begin(opened.cookie, "oscar", "wrong", ORIGIN)
    with refused(LockedOut, "FIA_AFL.1"):
        identity.sessions.join_begin(opened.cookie, "oscar", PASSWORD, ORIGIN)
    assert resume(identity, opened).principal.name == "rita"


def test_the_seconds_second_factor(identity: IdentityService, clock: SteppedClock) -> None:
    oscar = resume(identity, begin(identity, "oscar")).principal
    app = identity.factors.start_totp(oscar)
    identity.factors.confirm_totp(oscar, totp_code(app.uri, clock.now))
    clock.now += 30

    halfway = join(identity)
    assert (halfway.session.partner, halfway.session.joining) == ("", "oscar")
    found = resume(identity, halfway)
    assert (found.principal.name, found.principal.partner) == ("rita", "")
    assert found.waiting == ("pair",)
    name, factors = identity.sessions.awaited(halfway.cookie)
    assert (name, factors.totp) == ("oscar", True)
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.totp(halfway.cookie, "000000", ORIGIN)
    assert identity.users.show(SYSTEM, "oscar").failed_logins == 1
    assert identity.users.show(SYSTEM, "rita").failed_logins == 0

    joint = identity.sessions.totp(halfway.cookie, totp_code(app.uri, clock.now), ORIGIN)
    assert joint.session.people == ("rita", "oscar")
    assert joint.session.partner_methods == (Proof.PASSWORD, Proof.TOTP)


def test_thinking_better_of_it(identity: IdentityService, clock: SteppedClock) -> None:
    oscar = resume(identity, begin(identity, "oscar")).principal
    app = identity.factors.start_totp(oscar)
    identity.factors.confirm_totp(oscar, totp_code(app.uri, clock.now))
    halfway = join(identity)
    assert identity.sessions.join_cancel(halfway.cookie).joining == ""
    with refused(WrongState, "session.factor"):
        identity.sessions.totp(halfway.cookie, totp_code(app.uri, clock.now + 30), ORIGIN)


def test_who_has_something_to_do_first(identity: IdentityService) -> None:
    identity.users.set_password(SYSTEM, "oscar", PASSWORD, must_change=True)
    with refused(WrongState, "joint.unfinished"):
        join(identity)


def test_joining_by_what_the_door_has_seen(identity: IdentityService) -> None:
    opened = begin(identity, "rita")
    joint = identity.sessions.join_proven(opened.cookie, "oscar", Proof.CERTIFICATE, ORIGIN)
    assert joint.session.partner_methods == (Proof.CERTIFICATE,)
    opened = begin(identity, "rita")
    with refused(BadRequest, "joint.two-people"):
        identity.sessions.join_proven(opened.cookie, "rita", Proof.PROVIDER, ORIGIN)


# When it is over


def _by_cookie(identity: IdentityService, joint: Opened) -> None:
    identity.sessions.end(joint.cookie, ORIGIN)


def _elsewhere(name: str) -> Callable[[IdentityService, Opened], None]:
    def end(identity: IdentityService, joint: Opened) -> None:
        principal = resume(identity, begin(identity, name)).principal
        assert joint.session.id in {web.id for web in identity.sessions.of(principal)}
        identity.sessions.end_one(principal, joint.session.id)

    return end


@pytest.mark.parametrize(
    "end",
    [
        _by_cookie,
        _elsewhere("rita"),
        _elsewhere("oscar"),
        lambda i, _: i.users.edit(SYSTEM, "rita", disabled=True),
        lambda i, _: i.users.edit(SYSTEM, "oscar", disabled=True),
        lambda i, _: i.users.delete(SYSTEM, "oscar"),
        lambda i, _: i.users.set_password(SYSTEM, "oscar", PASSWORD),
        lambda i, _: i.groups.remove_member(SYSTEM, "pair", "oscar"),
        lambda i, _: i.groups.remove_member(SYSTEM, "pair", "rita"),
    ],
)
def test_it_ends_with_either(
    identity: IdentityService, end: Callable[[IdentityService, Opened], None]
) -> None:
    joint = join(identity)
    end(identity, joint)
    assert identity.sessions.resume(joint.cookie, ORIGIN) is None


def test_who_was_about_to_join_takes_nobody_along(
    identity: IdentityService, clock: SteppedClock
) -> None:
    oscar = resume(identity, begin(identity, "oscar")).principal
    app = identity.factors.start_totp(oscar)
    identity.factors.confirm_totp(oscar, totp_code(app.uri, clock.now))
    halfway = join(identity)
    identity.users.edit(SYSTEM, "oscar", disabled=True)
    assert resume(identity, halfway).session.joining == ""


def test_a_group_that_comes_to_require_two_counts_so_at_once(identity: IdentityService) -> None:
    identity.groups.create(SYSTEM, "silent")
    identity.groups.add_member(SYSTEM, "silent", "rita")
    opened = begin(identity, "rita")
    assert resume(identity, opened).principal.groups == {"silent"}
    assert identity.groups.edit(SYSTEM, "silent", logins_required=2).logins_required == 2
    assert resume(identity, opened).principal.groups == frozenset()
    with refused(BadRequest, "group.logins"):
        identity.groups.edit(SYSTEM, "silent", logins_required=3)
    with refused(BadRequest, "edit.empty"):
        identity.groups.edit(SYSTEM, "silent")
    with refused(NotPermitted, "identity.manage"):
        identity.groups.edit(resume(identity, opened).principal, "silent", logins_required=1)


def test_the_last_administrators_cannot_become_one_half(identity: IdentityService) -> None:
    identity.groups.create(SYSTEM, "admins", roles=[Role.ADMINISTRATOR])
    identity.groups.add_member(SYSTEM, "admins", "otto")
    identity.users.withdraw(SYSTEM, "ada", Role.ADMINISTRATOR)
    with refused(Conflict, "identity.last-administrator"):
        identity.groups.edit(SYSTEM, "admins", logins_required=2)
    identity.groups.add_member(SYSTEM, "admins", "oscar")
    identity.groups.edit(SYSTEM, "admins", logins_required=2)
    with refused(Conflict, "identity.last-administrator"):
        identity.users.edit(SYSTEM, "oscar", disabled=True)


# Stepping up


def test_both_step_up(identity: IdentityService, clock: SteppedClock) -> None:
    opened = begin(identity, "rita")
    clock.now += 200
    joint = identity.sessions.join_begin(opened.cookie, "oscar", PASSWORD, ORIGIN)
    assert resume(identity, joint).fresh
    clock.now += 200  # rita's proof is older than five minutes, oscar's is not
    assert not resume(identity, joint).fresh
    assert _turn(identity, joint) == "rita"
    joint = identity.sessions.step_up_password(joint.cookie, PASSWORD, ORIGIN)
    assert resume(identity, joint).fresh
    clock.now += 200
    assert _turn(identity, joint) == "oscar"
    joint = identity.sessions.step_up_password(joint.cookie, PASSWORD, ORIGIN)
    assert resume(identity, joint).fresh
    clock.now += 400
    for name in ("oscar", "rita"):
        assert not resume(identity, joint).fresh
        joint = identity.sessions.step_up_password(joint.cookie, PASSWORD, ORIGIN, name)
    assert resume(identity, joint).fresh


def _turn(identity: IdentityService, opened: Opened) -> str:
    ways = identity.sessions.step_up_ways(opened.cookie)
    assert ways is not None
    return ways.name


def test_both_halves_may_list_it_and_nobody_else(identity: IdentityService) -> None:
    joint = join(identity)
    principal: Principal = resume(identity, joint).principal
    assert [web.id for web in identity.sessions.of(principal, "oscar")] == [joint.session.id]
    with refused(NotPermitted, "identity.manage"):
        identity.sessions.of(principal, "otto")
