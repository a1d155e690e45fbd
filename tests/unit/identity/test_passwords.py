"""Signing in with a password: right, wrong, unknown, locked, disabled."""

from collections.abc import Callable

import pytest
from people import PASSWORD, CountingHasher, SteppedClock

from chancery.adapters.storage import SqlStore
from chancery.domain.audit import AuditRecord
from chancery.domain.errors import BadRequest, LockedOut, NotAuthenticated, NotPermitted
from chancery.domain.identity import SYSTEM, AuthMethod, Permission, Role
from chancery.services.identity import IdentityService

ORIGIN = "192.0.2.7"


def actions(store: SqlStore) -> list[AuditRecord]:
    with store.read() as session:
        return list(reversed(session.audit.find(limit=1000)))


def fail(identity: IdentityService, name: str, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(NotAuthenticated):
            identity.authenticate_password(name, "not the password", ORIGIN)


def test_the_right_password_gives_a_principal(identity: IdentityService, store: SqlStore) -> None:
    principal = identity.authenticate_password("rita", PASSWORD, ORIGIN)

    assert (principal.name, principal.method, principal.origin) == (
        "rita", AuthMethod.PASSWORD, ORIGIN,
    )  # fmt: skip
    assert principal.roles == {Role.REQUESTER}
    assert Permission.REQUEST_SUBMIT in principal.permissions
    assert Permission.IDENTITY_MANAGE not in principal.permissions
    assert actions(store)[-1].event.action == "login.succeeded"


def test_a_password_is_the_same_however_it_was_typed(identity: IdentityService) -> None:
    identity.users.set_password(SYSTEM, "rita", "caf\u00e9 caf\u00e9 caf\u00e9 ok")
    assert identity.authenticate_password("rita", "cafe\u0301 cafe\u0301 cafe\u0301 ok", ORIGIN)


@pytest.mark.parametrize(
    "name", ["rita", "nobody", "anonymous", "", "x" * 5000, "a\x00b", "\ud800"]
)
@pytest.mark.parametrize("password", ["not it", "", "x" * 1_000_000, "\ud800"])
def test_wrong_names_and_wrong_passwords_look_and_cost_the_same(
    identity: IdentityService, hasher: CountingHasher, store: SqlStore, name: str, password: str
) -> None:
    before = len(actions(store))
    hasher.verified.clear()

    with pytest.raises(NotAuthenticated) as refused:
        identity.authenticate_password(name, password, ORIGIN)

    assert str(refused.value) == "the name or the password is wrong"
    assert len(hasher.verified) == 1
    assert len(actions(store)) == before + 1


def test_an_account_without_a_password_costs_the_same(
    identity: IdentityService, hasher: CountingHasher
) -> None:
    identity.users.create(SYSTEM, "robot", roles=[Role.REQUESTER])
    hasher.verified.clear()
    fail(identity, "robot")
    assert len(hasher.verified) == 1


def test_a_disabled_account_looks_like_a_wrong_password(identity: IdentityService) -> None:
    identity.users.edit(SYSTEM, "rita", disabled=True)
    with pytest.raises(NotAuthenticated, match="the name or the password is wrong"):
        identity.authenticate_password("rita", PASSWORD, ORIGIN)


@pytest.mark.parametrize("name", ["rita", "nobody"])
def test_known_and_unknown_names_are_locked_alike(
    identity: IdentityService, hasher: CountingHasher, clock: SteppedClock, name: str
) -> None:
    fail(identity, name, 3)
    hasher.verified.clear()

    with pytest.raises(LockedOut, match="this name waits"):
        identity.authenticate_password(name, PASSWORD, ORIGIN)
    assert not hasher.verified, "a locked account must not test guesses"

    clock.now += 600
    fail(identity, name)
    fail(identity, name)  # the count began anew
    with pytest.raises(NotAuthenticated):
        identity.authenticate_password(name, "not it", ORIGIN)


def test_the_lock_ends_by_time(identity: IdentityService, clock: SteppedClock) -> None:
    fail(identity, "rita", 3)
    clock.now += 599
    with pytest.raises(LockedOut):
        identity.authenticate_password("rita", PASSWORD, ORIGIN)
    clock.now += 1
    assert identity.authenticate_password("rita", PASSWORD, ORIGIN)


def test_the_lock_ends_by_an_administrator(identity: IdentityService) -> None:
    ada = identity.authenticate_password("ada", PASSWORD, ORIGIN)
    fail(identity, "rita", 3)
    assert identity.users.unlock(ada, "rita").failed_logins == 0
    assert identity.authenticate_password("rita", PASSWORD, ORIGIN)


def test_success_forgets_earlier_failures(identity: IdentityService) -> None:
    for _ in range(4):
        fail(identity, "rita", 2)
        assert identity.authenticate_password("rita", PASSWORD, ORIGIN)


def test_failures_and_locks_are_on_record_without_what_was_typed(
    identity: IdentityService, store: SqlStore
) -> None:
    fail(identity, "rita", 3)
    fail(identity, "my-password-in-the-wrong-field")
    for _ in range(50):
        with pytest.raises(LockedOut):
            identity.authenticate_password("rita", PASSWORD, ORIGIN)

    found = actions(store)
    told = [record.event.action for record in found]
    assert told.count("account.locked") == 1
    assert told.count("login.failed") == 3 + 1 + 1, "attempts during a lock are told once a minute"
    assert not any(b"my-password" in record.leaf for record in found)


def test_an_outdated_hash_is_renewed_at_login(
    identity: IdentityService, hasher: CountingHasher, store: SqlStore
) -> None:
    hasher.version = "v2"
    identity.authenticate_password("rita", PASSWORD, ORIGIN)
    with store.read() as session:
        user = session.identities.user("rita")
    assert user is not None
    assert user.password_hash == f"v2:{PASSWORD}"


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("thirteen char", "password.length"),
        ("x" * 1025, "password.length"),
        ("aaaaaaaaaaaaaaaa", "password.guessable"),
        ("rita rita rita!!", "password.guessable"),
        ("lone surrogate \ud800", "password.unicode"),
    ],
)
def test_weak_passwords_are_refused(identity: IdentityService, password: str, rule: str) -> None:
    with pytest.raises(BadRequest) as refused:
        identity.users.set_password(SYSTEM, "rita", password)
    assert (refused.value.field, refused.value.rule) == ("password", rule)


def test_changing_ones_own_takes_the_current_one(identity: IdentityService) -> None:
    rita = identity.authenticate_password("rita", PASSWORD, ORIGIN)
    for current in (None, "not it"):
        with pytest.raises(BadRequest):
            identity.users.set_password(rita, "rita", "a new long passphrase", current)
    with pytest.raises(NotPermitted):
        identity.users.set_password(rita, "oscar", "a new long passphrase", PASSWORD)

    identity.users.set_password(rita, "rita", "a new long passphrase", PASSWORD)

    fail(identity, "rita")
    assert identity.authenticate_password("rita", "a new long passphrase", ORIGIN)


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda identity: identity.users.edit(SYSTEM, "rita", disabled=True),
        lambda identity: identity.users.set_password(SYSTEM, "rita", "quite another password"),
        lambda identity: identity.users.delete(SYSTEM, "rita"),
    ],
    ids=["disabled", "new password", "deleted"],
)
def test_what_happens_while_the_hash_is_computed_counts(
    identity: IdentityService,
    hasher: CountingHasher,
    meanwhile: Callable[[IdentityService], object],
) -> None:
    identity.authenticate_password("ada", PASSWORD, ORIGIN)
    verify = hasher.verify

    def slow(phc: str, password: str) -> bool:
        hasher.verify = verify  # type: ignore[method-assign]
        meanwhile(identity)
        return verify(phc, password)

    hasher.verify = slow  # type: ignore[method-assign]
    with pytest.raises(NotAuthenticated):
        identity.authenticate_password("rita", PASSWORD, ORIGIN)
