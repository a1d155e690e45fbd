"""API tokens: what they can do, when they end, and how soon that is noticed."""

import pytest
from people import PASSWORD, SteppedClock

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import BadRequest, Conflict, NotAuthenticated, NotFound, NotPermitted
from chancery.domain.identity import SYSTEM, AuthMethod, Permission, Principal
from chancery.services.identity import IdentityPolicy, IdentityService
from chancery.services.identity.token_cache import LocalChanges, TokenCache

DAY_S = 86_400


@pytest.fixture
def rita(identity: IdentityService) -> Principal:
    return identity.authenticate_password("rita", PASSWORD, "192.0.2.7")


def test_a_token_opens_its_owners_account(identity: IdentityService, rita: Principal) -> None:
    token, secret = identity.tokens.create(rita, label="build server", days=7)
    principal = identity.authenticate_token(secret, "192.0.2.8")

    assert secret.startswith("chy_")
    assert len(secret) == 4 + 43
    assert secret not in repr(token)
    assert (principal.name, principal.method, principal.origin) == (
        "rita", AuthMethod.TOKEN, "192.0.2.8",
    )  # fmt: skip
    assert principal.permissions == rita.permissions


@pytest.mark.parametrize(
    "secret", ["", "chy_", "chy_" + "A" * 43, "x" * 100_000, "chy_\u00e9", "\ud800"]
)
def test_unknown_tokens_are_refused(identity: IdentityService, secret: str) -> None:
    with pytest.raises(NotAuthenticated):
        identity.authenticate_token(secret, "192.0.2.8")


def test_it_ends_to_the_second_even_while_cached(
    identity: IdentityService, rita: Principal, clock: SteppedClock
) -> None:
    _, secret = identity.tokens.create(rita, days=1)
    clock.now += DAY_S - 1
    assert identity.authenticate_token(secret, "192.0.2.8")
    clock.now += 1
    with pytest.raises(NotAuthenticated):
        identity.authenticate_token(secret, "192.0.2.8")


def test_revoking_and_disabling_count_at_once(identity: IdentityService, rita: Principal) -> None:
    first, secret = identity.tokens.create(rita)
    _, other = identity.tokens.create(rita)
    assert identity.authenticate_token(secret, "192.0.2.8")
    assert identity.authenticate_token(other, "192.0.2.8")

    identity.tokens.revoke(rita, first.id)
    with pytest.raises(NotAuthenticated):
        identity.authenticate_token(secret, "192.0.2.8")
    assert identity.authenticate_token(other, "192.0.2.8")

    identity.users.edit(SYSTEM, "rita", disabled=True)
    with pytest.raises(NotAuthenticated):
        identity.authenticate_token(other, "192.0.2.8")

    identity.users.edit(SYSTEM, "rita", disabled=False)
    with pytest.raises(NotAuthenticated):
        identity.authenticate_token(other, "192.0.2.8")
    again = identity.authenticate_password("rita", PASSWORD, "192.0.2.8")
    assert identity.authenticate_token(identity.tokens.create(again)[1], "192.0.2.8")


def test_another_node_notices_within_the_caches_time(
    identity: IdentityService, rita: Principal, store: SqlStore, clock: SteppedClock
) -> None:
    token, secret = identity.tokens.create(rita)
    assert identity.authenticate_token(secret, "192.0.2.8")
    store.write(lambda session: session.identities.revoke_token(token.id))  # as another node does

    assert identity.authenticate_token(secret, "192.0.2.8"), "the bound of the documentation"
    clock.now += IdentityPolicy().token_cache_ms // 1000
    with pytest.raises(NotAuthenticated):
        identity.authenticate_token(secret, "192.0.2.8")


def test_a_hit_needs_no_database(
    identity: IdentityService, rita: Principal, store: SqlStore
) -> None:
    _, secret = identity.tokens.create(rita)
    assert identity.known_token(secret, "192.0.2.8") is None
    identity.authenticate_token(secret, "192.0.2.8")
    store.close()
    assert identity.known_token(secret, "192.0.2.9") == identity.authenticate_token(
        secret, "192.0.2.9"
    )


def test_scopes_take_away_and_never_add(identity: IdentityService, rita: Principal) -> None:
    scopes = {Permission.CERTIFICATE_READ, Permission.TOKEN_OWN}
    _, secret = identity.tokens.create(rita, scopes=scopes)
    narrow = identity.authenticate_token(secret, "192.0.2.8")
    assert narrow.permissions == scopes | {Permission.PUBLIC, Permission.AUTHENTICATED}

    with pytest.raises(NotPermitted) as refused:
        identity.tokens.create(rita, scopes=[Permission.IDENTITY_MANAGE])
    assert refused.value.rule == "token.scope"


def test_a_narrow_token_begets_no_wider_one(identity: IdentityService, rita: Principal) -> None:
    _, secret = identity.tokens.create(rita, scopes=[Permission.TOKEN_OWN])
    narrow = identity.authenticate_token(secret, "192.0.2.8")

    child, child_secret = identity.tokens.create(narrow)

    assert child.scopes == narrow.permissions
    assert identity.authenticate_token(child_secret, "192.0.2.8").permissions == narrow.permissions
    with pytest.raises(NotPermitted):
        identity.tokens.create(narrow, scopes=[Permission.REQUEST_SUBMIT])


def test_a_scope_lost_with_its_role_is_lost(identity: IdentityService, rita: Principal) -> None:
    _, secret = identity.tokens.create(rita, scopes=[Permission.REQUEST_SUBMIT])
    (role,) = rita.roles
    identity.users.withdraw(SYSTEM, "rita", role)
    principal = identity.authenticate_token(secret, "192.0.2.8")
    assert Permission.REQUEST_SUBMIT not in principal.permissions


def test_only_ones_own(identity: IdentityService, rita: Principal) -> None:
    token, _ = identity.tokens.create(rita)
    ada = identity.authenticate_password("ada", PASSWORD, "192.0.2.7")

    with pytest.raises(NotFound):
        identity.tokens.revoke(ada, token.id)
    with pytest.raises(NotPermitted):
        identity.tokens.create(ada, owner="rita")
    assert identity.tokens.mine(ada) == []
    assert identity.tokens.create(SYSTEM, owner="rita")[0].user == "rita"


@pytest.mark.parametrize("days", [0, -1, 367])
def test_lifetime_is_bounded(identity: IdentityService, rita: Principal, days: int) -> None:
    with pytest.raises(BadRequest):
        identity.tokens.create(rita, days=days)


def test_number_is_bounded(identity: IdentityService, rita: Principal) -> None:
    for _ in range(100):
        identity.tokens.create(rita)
    with pytest.raises(Conflict):
        identity.tokens.create(rita)


def test_last_use_is_noted_at_most_once_a_minute(
    identity: IdentityService, rita: Principal, store: SqlStore, clock: SteppedClock
) -> None:
    _, secret = identity.tokens.create(rita)
    began = clock.now
    for _ in range(20):
        identity.authenticate_token(secret, "192.0.2.8")
        clock.now += 6
    store.write(lambda _: None)  # whoever noted it did not wait; units are done in order
    (token,) = identity.tokens.mine(rita)
    assert token.last_used_at is not None
    assert began <= token.last_used_at <= clock.now


def test_a_change_during_a_look_up_keeps_its_answer_out_of_the_cache() -> None:
    cache = TokenCache(5_000, LocalChanges())
    generation = cache.generation
    cache.clear()  # an account changed after the look-up had read it
    cache.put(b"digest", SYSTEM, 0, 10_000, generation)
    assert cache.get(b"digest", 1) is None


def test_the_cache_never_grows_past_its_bound() -> None:
    cache = TokenCache(5_000, LocalChanges(), capacity=10)
    for number in range(1000):
        cache.put(number.to_bytes(4), SYSTEM, 0, 10_000, cache.generation)
    assert sum(cache.get(n.to_bytes(4), 1) is not None for n in range(1000)) <= 10
