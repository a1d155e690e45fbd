"""Authenticator apps, passkeys and recovery codes: enrolled, asked for, refused."""

from dataclasses import replace

import pytest
from factors import Authenticator, factor_tools, totp_code
from people import PASSWORD, CountingHasher, SteppedClock, refused

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    LockedOut,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Unavailable,
    WrongState,
)
from chancery.domain.identity import SYSTEM, Permission, Principal, Role
from chancery.domain.web_session import Proof, SessionState
from chancery.services.identity import IdentityPolicy, IdentityService
from chancery.services.identity.second_factors import TotpEnrolment
from chancery.services.identity.sessions import Opened

ORIGIN = "192.0.2.7"
STEP = 30


def begin(identity: IdentityService, name: str = "rita") -> Opened:
    return identity.sessions.begin(name, PASSWORD, ORIGIN)


def who(identity: IdentityService, opened: Opened) -> Principal:
    found = identity.sessions.resume(opened.cookie, ORIGIN)
    assert found is not None
    return found.principal


def enrol_app(identity: IdentityService, clock: SteppedClock, name: str = "rita") -> TotpEnrolment:
    """An app for *name*, and time for its next code."""
    principal = who(identity, begin(identity, name))
    app = identity.factors.start_totp(principal)
    identity.factors.confirm_totp(principal, totp_code(app.uri, clock.now))
    clock.now += STEP
    return app


def enrol_passkey(
    identity: IdentityService, key: Authenticator, name: str = "rita", label: str = "key"
) -> str:
    opened = begin(identity, name)
    principal = who(identity, opened)
    answer = key.create(identity.passkeys.options(principal, opened.cookie))
    return identity.passkeys.add(principal, opened.cookie, answer, label).id


def last_failure(store: SqlStore) -> dict[str, object]:
    with store.read() as session:
        return dict(session.audit.find(action="login.failed", limit=1)[0].event.details)


# Authenticator apps


def test_an_app_is_enrolled_by_its_first_code(
    identity: IdentityService, clock: SteppedClock
) -> None:
    principal = who(identity, begin(identity))
    app = identity.factors.start_totp(principal)
    assert app.uri.startswith("otpauth://totp/Chancery:rita?secret=" + app.secret)
    assert app.picture.startswith("<svg")
    assert "style" not in app.picture
    assert not identity.factors.of(principal).any
    assert begin(identity).session.open  # nothing is asked for yet
    with refused(BadRequest, "totp.code"):
        identity.factors.confirm_totp(principal, "000000")

    found = identity.factors.confirm_totp(principal, totp_code(app.uri, clock.now))
    assert found.totp
    assert begin(identity).session.state is SessionState.NEEDS_FACTOR
    with refused(WrongState, "totp.pending"):
        identity.factors.confirm_totp(principal, totp_code(app.uri, clock.now))


def test_the_secret_is_sealed_and_in_no_answer(
    identity: IdentityService, clock: SteppedClock, store: SqlStore
) -> None:
    app = enrol_app(identity, clock)
    with store.read() as session:
        secret = session.factors.totp("rita")
    assert secret is not None
    assert app.secret.encode() not in secret.sealed
    assert app.secret not in repr(identity.factors.of(SYSTEM, "rita"))


def test_a_secret_moved_to_another_account_does_not_open(
    identity: IdentityService, clock: SteppedClock, store: SqlStore
) -> None:
    app = enrol_app(identity, clock)
    with store.read() as session:
        secret = session.factors.totp("rita")
    assert secret is not None
    store.write(lambda s: s.factors.put_totp(replace(secret, user="ada")))
    opened = begin(identity, "ada")
    with refused(Unavailable, "sealing.key"):
        identity.sessions.totp(opened.cookie, totp_code(app.uri, clock.now), ORIGIN)


def test_nobody_is_in_before_the_code(identity: IdentityService, clock: SteppedClock) -> None:
    app = enrol_app(identity, clock)
    opened = begin(identity)
    assert opened.session.state is SessionState.NEEDS_FACTOR
    assert who(identity, opened).permissions == {Permission.PUBLIC}
    assert who(identity, opened).name == "anonymous"
    name, factors = identity.sessions.awaited(opened.cookie)
    assert (name, factors.totp) == ("rita", True)

    done = identity.sessions.totp(opened.cookie, totp_code(app.uri, clock.now), ORIGIN)
    assert done.session.open
    assert done.session.methods == (Proof.PASSWORD, Proof.TOTP)
    assert done.cookie != opened.cookie
    assert done.session.csrf != opened.session.csrf
    assert who(identity, done).roles == {Role.REQUESTER}
    assert identity.sessions.resume(opened.cookie, ORIGIN) is None
    with refused(WrongState, "session.factor"):
        identity.sessions.totp(done.cookie, "000000", ORIGIN)


def test_each_code_is_good_once(identity: IdentityService, clock: SteppedClock) -> None:
    app = enrol_app(identity, clock)
    code = totp_code(app.uri, clock.now)
    first, second = begin(identity), begin(identity)
    assert identity.sessions.totp(first.cookie, code, ORIGIN).session.open
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.totp(second.cookie, code, ORIGIN)
    # Nor is one before it, which is still within a clock's tolerance.
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.totp(second.cookie, totp_code(app.uri, clock.now - STEP), ORIGIN)


def test_the_code_that_enrolled_is_used(identity: IdentityService, clock: SteppedClock) -> None:
    app = enrol_app(identity, clock)
    clock.now -= STEP
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.totp(begin(identity).cookie, totp_code(app.uri, clock.now), ORIGIN)


@pytest.mark.parametrize(
    ("off", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_off_by_one_step(
    identity: IdentityService, clock: SteppedClock, off: int, good: bool
) -> None:
    app = enrol_app(identity, clock)
    clock.now += 10 * STEP
    opened, code = begin(identity), totp_code(app.uri, clock.now + off * STEP)
    if good:
        assert identity.sessions.totp(opened.cookie, f"{code[:3]} {code[3:]}", ORIGIN)
    else:
        with refused(NotAuthenticated, "totp.code"):
            identity.sessions.totp(opened.cookie, code, ORIGIN)


@pytest.mark.parametrize("code", ["", "1", "\ud800", "१२३४५६", "x" * 1_000_000, "a\x00b"])
def test_strange_codes_are_wrong_codes(
    identity: IdentityService, clock: SteppedClock, code: str
) -> None:
    enrol_app(identity, clock)
    opened = begin(identity)
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.totp(opened.cookie, code, ORIGIN)
    with refused(NotAuthenticated, "recovery.code"):
        identity.sessions.recovery(opened.cookie, code, ORIGIN)


def test_wrong_codes_lock_out_and_a_known_password_does_not_help(
    identity: IdentityService, clock: SteppedClock
) -> None:
    app = enrol_app(identity, clock)
    for _ in range(3):
        opened = begin(identity)  # the right password each time
        with refused(NotAuthenticated, "totp.code"):
            identity.sessions.totp(opened.cookie, "000000", ORIGIN)
    with refused(LockedOut, "FIA_AFL.1"):
        identity.sessions.totp(opened.cookie, totp_code(app.uri, clock.now), ORIGIN)
    with refused(LockedOut, "FIA_AFL.1"):
        begin(identity)
    clock.now += 600
    opened = begin(identity)
    assert identity.sessions.totp(opened.cookie, totp_code(app.uri, clock.now), ORIGIN)
    assert identity.users.show(SYSTEM, "rita").failed_logins == 0


def test_a_second_app_takes_the_place_of_the_first_once_it_is_confirmed(
    identity: IdentityService, clock: SteppedClock
) -> None:
    old = enrol_app(identity, clock)
    opened = begin(identity)
    done = identity.sessions.totp(opened.cookie, totp_code(old.uri, clock.now), ORIGIN)
    clock.now += STEP
    new = identity.factors.start_totp(who(identity, done))
    assert identity.sessions.totp(begin(identity).cookie, totp_code(old.uri, clock.now), ORIGIN)
    identity.factors.confirm_totp(who(identity, done), totp_code(new.uri, clock.now))
    clock.now += STEP
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.totp(begin(identity).cookie, totp_code(old.uri, clock.now), ORIGIN)
    assert identity.sessions.totp(begin(identity).cookie, totp_code(new.uri, clock.now), ORIGIN)


# Passwords without a browser


def test_basic_authentication_asks_for_a_code(
    identity: IdentityService, clock: SteppedClock
) -> None:
    app = enrol_app(identity, clock)
    with refused(NotAuthenticated, "second-factor"):
        identity.authenticate_password("rita", PASSWORD, ORIGIN)
    with refused(NotAuthenticated, "totp.code"):
        identity.authenticate_password("rita", PASSWORD, ORIGIN, "000000")
    code = totp_code(app.uri, clock.now)
    assert identity.authenticate_password("rita", PASSWORD, ORIGIN, code).name == "rita"
    with refused(NotAuthenticated, "totp.code"):
        identity.authenticate_password("rita", PASSWORD, ORIGIN, code)


def test_an_enrolled_account_keeps_its_tokens(
    identity: IdentityService, clock: SteppedClock
) -> None:
    _, token = identity.tokens.create(SYSTEM, owner="rita")
    enrol_app(identity, clock)
    assert identity.authenticate_token(token, ORIGIN).name == "rita"


def test_changing_ones_factors_takes_more_than_a_token(
    identity: IdentityService, clock: SteppedClock
) -> None:
    _, token = identity.tokens.create(SYSTEM, owner="rita")
    principal = identity.authenticate_token(token, ORIGIN)
    with refused(BadRequest, "step-up"):
        identity.factors.start_totp(principal)
    with refused(BadRequest, "password.current"):
        identity.factors.start_totp(principal, "wrong")
    assert identity.factors.start_totp(principal, PASSWORD)
    with refused(BadRequest, "step-up"):
        identity.factors.new_recovery_codes(principal)

    opened = begin(identity)
    clock.now += 301
    with refused(NotPermitted, "step-up"):
        identity.factors.start_totp(who(identity, opened))


# Passkeys


def test_a_passkey_is_the_second_factor(identity: IdentityService, store: SqlStore) -> None:
    key = Authenticator()
    enrol_passkey(identity, key, label="  blue \n key ")
    opened = begin(identity)
    assert opened.session.state is SessionState.NEEDS_FACTOR
    options = identity.sessions.passkey_options(opened.cookie)
    assert options["userVerification"] == "required"
    done = identity.sessions.passkey(opened.cookie, key.get(options), ORIGIN)
    assert done.session.methods == (Proof.PASSWORD, Proof.PASSKEY)
    (passkey,) = identity.factors.of(who(identity, done)).passkeys
    assert (passkey.label, passkey.sign_count) == ("blue key", 1)
    assert passkey.last_used_at is not None


def test_where_passkeys_work(identity: IdentityService) -> None:
    assert identity.passkeys.origin == "https://localhost:8443"
    assert factor_tools("https://ca.example.org").passkeys.origin == "https://ca.example.org"
    assert factor_tools("https://[::1]:8443").passkeys.origin == "https://localhost:8443"
    nowhere = factor_tools("https://192.0.2.1:8443").passkeys
    assert nowhere.origin is None
    with refused(BadRequest, "passkey.domain"):
        nowhere.request_options(b"x" * 32, [])


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "https://localhost:9443"},
        {"origin": "https://127.0.0.1:8443"},
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"verified": False},
    ],
)
def test_answers_made_for_another_site_or_by_nobody(
    identity: IdentityService, bent: dict[str, object]
) -> None:
    with refused(BadRequest, "passkey.answer"):
        enrol_passkey(identity, replace(Authenticator(), **bent))  # type: ignore[arg-type]
    key = Authenticator()
    enrol_passkey(identity, key)
    opened = begin(identity)
    options = identity.sessions.passkey_options(opened.cookie)
    with refused(NotAuthenticated, "passkey.answer"):
        identity.sessions.passkey(opened.cookie, replace(key, **bent).get(options), ORIGIN)  # type: ignore[arg-type]


def test_a_question_is_good_for_one_answer(identity: IdentityService, clock: SteppedClock) -> None:
    key = Authenticator()
    enrol_passkey(identity, key)
    opened = begin(identity)
    with refused(WrongState, "passkey.challenge"):
        identity.sessions.passkey(opened.cookie, "{}", ORIGIN)

    options = identity.sessions.passkey_options(opened.cookie)
    with refused(NotAuthenticated, "passkey.registered"):
        identity.sessions.passkey(opened.cookie, "{}", ORIGIN)
    with refused(WrongState, "passkey.challenge"):  # a wrong answer has used it up
        identity.sessions.passkey(opened.cookie, key.get(options), ORIGIN)

    options = identity.sessions.passkey_options(opened.cookie)
    answer = key.get(options)
    done = identity.sessions.passkey(opened.cookie, answer, ORIGIN)
    with refused(WrongState, "passkey.challenge"):
        identity.sessions.step_up_passkey(done.cookie, answer, ORIGIN)
    identity.sessions.step_up_passkey_options(done.cookie)
    with refused(NotAuthenticated, "passkey.answer"):  # the old answer to a new question
        identity.sessions.step_up_passkey(done.cookie, answer, ORIGIN)

    options = identity.sessions.step_up_passkey_options(done.cookie)
    clock.now += 121
    with refused(WrongState, "passkey.challenge"):
        identity.sessions.step_up_passkey(done.cookie, key.get(options), ORIGIN)


def test_a_cloned_authenticator_is_found_out(identity: IdentityService, store: SqlStore) -> None:
    key = Authenticator()
    enrol_passkey(identity, key)
    copy = replace(key)
    for _ in range(3):
        opened = begin(identity)
        options = identity.sessions.passkey_options(opened.cookie)
        identity.sessions.passkey(opened.cookie, key.get(options), ORIGIN)
    opened = begin(identity)
    options = identity.sessions.passkey_options(opened.cookie)
    with refused(NotAuthenticated, "passkey.sign-count"):
        identity.sessions.passkey(opened.cookie, copy.get(options), ORIGIN)
    assert last_failure(store) == {"failures": 1, "rule": "passkey.sign-count"}


def test_authenticators_that_do_not_count_are_fine(identity: IdentityService) -> None:
    key = Authenticator(count=-1)  # counts to 0 each time, as synced passkeys do
    enrol_passkey(identity, replace(key, count=0, key=key.key, id=key.id))
    for _ in range(2):
        key.count = -1
        opened = begin(identity)
        options = identity.sessions.passkey_options(opened.cookie)
        assert identity.sessions.passkey(opened.cookie, key.get(options), ORIGIN).session.open


def test_anothers_passkey_does_not_open_ones_account(identity: IdentityService) -> None:
    hers, his = Authenticator(), Authenticator()
    enrol_passkey(identity, hers, "rita")
    enrol_passkey(identity, his, "oscar")
    opened = begin(identity, "rita")
    options = identity.sessions.passkey_options(opened.cookie)
    with refused(NotAuthenticated, "passkey.registered"):
        identity.sessions.passkey(opened.cookie, his.get(options), ORIGIN)


def test_one_credential_belongs_to_one_account(identity: IdentityService) -> None:
    key = Authenticator()
    enrol_passkey(identity, key, "rita")
    with pytest.raises(AlreadyExists):
        enrol_passkey(identity, key, "oscar")


@pytest.mark.parametrize("answer", ["", "[]", "{}", "null", "{", "x" * 100_000, '{"id": 7}'])
def test_strange_answers(identity: IdentityService, answer: str) -> None:
    enrol_passkey(identity, Authenticator())
    opened = begin(identity)
    identity.sessions.passkey_options(opened.cookie)
    with pytest.raises(NotAuthenticated):
        identity.sessions.passkey(opened.cookie, answer, ORIGIN)
    other = begin(identity, "oscar")
    oscar = who(identity, other)
    identity.passkeys.options(oscar, other.cookie)
    with refused(BadRequest, "passkey.answer"):
        identity.passkeys.add(oscar, other.cookie, answer, "key")


def test_several_passkeys_named_and_removed(identity: IdentityService, clock: SteppedClock) -> None:
    one, two = Authenticator(), Authenticator()
    first = enrol_passkey(identity, one)
    clock.now += 1
    opened = begin(identity)
    options = identity.sessions.passkey_options(opened.cookie)
    done = identity.sessions.passkey(opened.cookie, one.get(options), ORIGIN)
    rita = who(identity, done)
    options = identity.passkeys.options(rita, done.cookie)
    assert [known["id"] for known in options["excludeCredentials"]] == [first]
    second = identity.passkeys.add(rita, done.cookie, two.create(options), "two").id
    identity.passkeys.rename(rita, second, "spare")
    assert [p.label for p in identity.factors.of(rita).passkeys] == ["key", "spare"]
    with refused(NotFound, "passkey.known"):
        identity.passkeys.remove(who(identity, begin(identity, "oscar")), second)
    assert len(identity.passkeys.remove(rita, first).passkeys) == 1
    assert not identity.passkeys.remove(rita, second).any
    assert begin(identity).session.open


# Recovery codes


def test_each_recovery_code_is_good_once(
    identity: IdentityService, clock: SteppedClock, store: SqlStore
) -> None:
    opened = begin(identity)
    rita = who(identity, opened)
    with refused(WrongState, "recovery.factor"):
        identity.factors.new_recovery_codes(rita)
    enrol_app(identity, clock)
    codes = identity.factors.new_recovery_codes(rita)
    assert len(set(codes)) == 10
    assert all(len(code) == 19 for code in codes)

    needs = begin(identity)
    done = identity.sessions.recovery(needs.cookie, f" {codes[0].upper()} ", ORIGIN)
    assert done.session.methods == (Proof.PASSWORD, Proof.RECOVERY)
    assert identity.factors.of(who(identity, done)).recovery_codes == 9
    with refused(NotAuthenticated, "recovery.code"):
        identity.sessions.recovery(begin(identity).cookie, codes[0], ORIGIN)

    identity.factors.new_recovery_codes(who(identity, done))
    with refused(NotAuthenticated, "recovery.code"):
        identity.sessions.recovery(begin(identity).cookie, codes[1], ORIGIN)


def test_another_accounts_codes_do_not_count(
    identity: IdentityService, clock: SteppedClock
) -> None:
    enrol_app(identity, clock)
    enrol_app(identity, clock, "oscar")
    codes = identity.factors.new_recovery_codes(replace(SYSTEM, name="oscar"))
    with refused(NotAuthenticated, "recovery.code"):
        identity.sessions.recovery(begin(identity, "rita").cookie, codes[0], ORIGIN)


# Policy


@pytest.fixture
def strict(store: SqlStore, clock: SteppedClock, identity: IdentityService) -> IdentityService:
    """The same people, where a second factor is required."""
    numbers = iter(range(20_000, 40_000))
    return IdentityService(
        store,
        CountingHasher(),
        clock,
        lambda size: next(numbers).to_bytes(size),
        IdentityPolicy(max_failures=3, lock_s=600, second_factor_required=True),
        tools=factor_tools(),
    )


def test_where_one_is_required_it_is_enrolled_before_anything_else(
    strict: IdentityService, clock: SteppedClock
) -> None:
    opened = begin(strict)
    assert opened.session.state is SessionState.MUST_ENROL_FACTOR
    principal = who(strict, opened)
    assert principal.permissions == {Permission.PUBLIC, Permission.AUTHENTICATED}
    assert strict.sessions.proceed(opened.cookie).session.state is SessionState.MUST_ENROL_FACTOR
    opened = begin(strict)
    app = strict.factors.start_totp(who(strict, opened))
    strict.factors.confirm_totp(who(strict, opened), totp_code(app.uri, clock.now))
    done = strict.sessions.proceed(opened.cookie)
    assert done.session.open
    assert who(strict, done).roles == {Role.REQUESTER}
    with refused(Conflict, "factor.required"):
        strict.factors.remove_totp(who(strict, done))
    with refused(WrongState, "session.state"):
        strict.sessions.proceed(done.cookie)


def test_where_one_is_required_a_password_alone_may_nothing(strict: IdentityService) -> None:
    principal = strict.authenticate_password("ada", PASSWORD, ORIGIN)
    assert principal.permissions == {Permission.PUBLIC, Permission.AUTHENTICATED}


# Administrators


def test_an_administrator_resets_who_lost_everything(
    identity: IdentityService, clock: SteppedClock, store: SqlStore
) -> None:
    enrol_app(identity, clock)
    ada = who(identity, begin(identity, "ada"))
    assert identity.factors.of(ada, "rita").totp
    identity.factors.reset(ada, "rita")
    assert not identity.factors.of(ada, "rita").any
    assert begin(identity).session.open
    with store.read() as session:
        (event,) = session.audit.find(action="factors.reset")
    assert (event.event.actor, event.event.subject_id) == ("ada", "rita")
    with refused(Conflict, "factor.reset-own"):
        identity.factors.reset(ada, "ada")


@pytest.mark.parametrize("name", ["oscar", "olga", "audrey", "rita"])
def test_nobody_else_does(identity: IdentityService, name: str) -> None:
    principal = who(identity, begin(identity, name))
    with refused(NotPermitted, "identity.manage"):
        identity.factors.reset(principal, "ada")
    if name != "audrey":  # auditors read
        with refused(NotPermitted, "identity.read"):
            identity.factors.of(principal, "ada")


# Stepping up by a factor


def test_who_has_a_factor_steps_up_with_it(identity: IdentityService, clock: SteppedClock) -> None:
    app = enrol_app(identity, clock)
    key = Authenticator()
    opened = begin(identity)
    done = identity.sessions.totp(opened.cookie, totp_code(app.uri, clock.now), ORIGIN)
    rita = who(identity, done)
    options = identity.passkeys.options(rita, done.cookie)
    identity.passkeys.add(rita, done.cookie, key.create(options), "key")
    clock.now += 301

    ways = identity.sessions.step_up_ways(done.cookie)
    assert ways is not None
    assert (ways.password, ways.totp, ways.passkey) == (False, True, True)
    with refused(NotPermitted, "step-up.method"):
        identity.sessions.step_up_password(done.cookie, PASSWORD, ORIGIN)
    with refused(NotAuthenticated, "totp.code"):
        identity.sessions.step_up_totp(done.cookie, "000000", ORIGIN)
    done = identity.sessions.step_up_totp(done.cookie, totp_code(app.uri, clock.now), ORIGIN)
    assert who(identity, done).fresh
    clock.now += 301
    assert not who(identity, done).fresh
    options = identity.sessions.step_up_passkey_options(done.cookie)
    done = identity.sessions.step_up_passkey(done.cookie, key.get(options), ORIGIN)
    assert who(identity, done).fresh
