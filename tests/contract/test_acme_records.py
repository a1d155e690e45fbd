"""What ACME keeps, on each engine."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.acme import (
    Account,
    AccountStatus,
    Authorization,
    AuthorizationStatus,
    ChallengeKind,
    EarlyRenewal,
    Fault,
    Order,
    OrderStatus,
    identifier,
)
from chancery.domain.errors import AlreadyExists, NotFound

NOW = 1_790_000_000
NAME = identifier("dns", "a.example.org")


def account(**more: Any) -> Account:
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "door": "acme/main",
        "status": AccountStatus.VALID,
        "thumbprint": uuid.uuid4().hex,
        "jwk": "{}",
        "key_sha256": "k",
        "contacts": ("mailto:a@example.org",),
        "credential_id": None,
        "reference": "",
        "agreed": True,
        "created_at": NOW,
        "origin": "192.0.2.1",
    }
    return Account(**values | more)


def authorization(of: Account, **more: Any) -> Authorization:
    values: dict[str, Any] = {
        "status": AuthorizationStatus.PENDING,
        "expires_at": NOW + 100,
        "token": "t",
        "challenges": (ChallengeKind.DNS_01, ChallengeKind.HTTP_01),
        "created_at": NOW,
    }
    return Authorization(str(uuid.uuid4()), of.door, of.id, NAME, **values | more)


def order(of: Account, *authorizations: Authorization, **more: Any) -> Order:
    values: dict[str, Any] = {
        "status": OrderStatus.PENDING,
        "expires_at": NOW + 100,
        "created_at": NOW,
        "authorizations": tuple(one.id for one in authorizations),
    }
    return Order(str(uuid.uuid4()), of.door, of.id, (NAME,), "p", **values | more)


@pytest.fixture
def own(store: SqlStore) -> Account:
    made = account()
    store.write(lambda s: s.acme.add_account(made))
    return made


def test_an_account_has_its_key_and_credential_alone(store: SqlStore, own: Account) -> None:
    bound = account(credential_id="c-1", reference="kid")
    store.write(lambda s: s.acme.add_account(bound))
    for taken in (
        account(thumbprint=own.thumbprint),
        account(credential_id="c-1"),
    ):
        with pytest.raises(AlreadyExists):
            store.write(lambda s, taken=taken: s.acme.add_account(taken))  # type: ignore[misc]
    elsewhere = account(door="acme/other", thumbprint=own.thumbprint)
    store.write(lambda s: s.acme.add_account(elsewhere))
    store.write(lambda s: s.acme.update_account(own.id, ("mailto:b@example.org",), agreed=False))
    store.write(lambda s: s.acme.change_key(own.id, "new", '{"a":1}', "k2"))
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.acme.change_key(bound.id, "new", "{}", "k2"))
    changed = replace(
        own,
        contacts=("mailto:b@example.org",),
        agreed=False,
        thumbprint="new",
        jwk='{"a":1}',
        key_sha256="k2",
    )
    with store.read() as session:
        assert session.acme.account(own.id) == changed
        assert session.acme.account_of_key("acme/main", "new") == changed
        assert session.acme.account_of_key("acme/other", "new") is None
        assert session.acme.account_of_credential("c-1") == bound
        assert {one.id for one in session.acme.accounts("acme/main", None, None, 10)} == {
            own.id,
            bound.id,
        }
        assert session.acme.accounts(None, AccountStatus.REVOKED, None, 10) == []


def test_what_ends_an_account_ends_what_waits(store: SqlStore, own: Account) -> None:
    valid = authorization(own, status=AuthorizationStatus.VALID)
    pending = authorization(own)
    placed, done = order(own, pending), order(own, valid, certificate_id="x")
    store.write(lambda s: s.acme.add_authorizations([valid, pending]))
    store.write(lambda s: s.acme.add_order(placed))
    store.write(lambda s: s.acme.add_order(replace(done, status=OrderStatus.VALID)))
    assert store.write(lambda s: s.acme.end_account(own.id, AccountStatus.REVOKED))
    assert not store.write(lambda s: s.acme.end_account(own.id, AccountStatus.DEACTIVATED))
    with store.read() as session:
        ended = session.acme.authorizations([pending.id, valid.id])
        assert [one.id for one in ended] == [pending.id, valid.id]
        assert {one.status for one in ended} == {AuthorizationStatus.REVOKED}
        states = {one.id: one.status for one in session.acme.orders(None, own.id, None, None, 9)}
        assert states == {placed.id: OrderStatus.INVALID, done.id: OrderStatus.VALID}
        found = session.acme.order_of_certificate("x")
        assert found is not None
        assert found.id == done.id


def test_an_order_moves_once(store: SqlStore, own: Account) -> None:
    one = authorization(own)
    placed = order(own, one)
    store.write(lambda s: s.acme.add_authorizations([one]))
    store.write(lambda s: s.acme.add_order(placed))
    with store.read() as session:
        assert session.acme.order(placed.id) == placed
    before, after = OrderStatus.PENDING, OrderStatus.PROCESSING
    assert store.write(lambda s: s.acme.move_order(placed.id, before, after, csr=b"csr"))
    assert not store.write(lambda s: s.acme.move_order(placed.id, before, after, csr=b"other"))
    fault = Fault("unauthorized", "denied")
    assert store.write(
        lambda s: s.acme.move_order(placed.id, after, OrderStatus.INVALID, fault=fault)
    )
    with store.read() as session:
        assert session.acme.order(placed.id) == replace(
            placed, status=OrderStatus.INVALID, csr=b"csr", fault=fault
        )


def test_a_certificate_is_replaced_by_one_order(store: SqlStore, own: Account) -> None:
    first = order(own, replaces="aki.serial")
    store.write(lambda s: s.acme.add_order(first))
    second = order(own, replaces="aki.serial")
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.acme.add_order(second))
    late = order(own, replaces="aki.serial", created_at=first.expires_at)
    store.write(lambda s: s.acme.add_order(late))  # the first has expired by then
    with store.read() as session:
        found = session.acme.order_replacing("aki.serial")
        assert found is not None
        assert found.id == late.id
        assert session.acme.order_replacing("other") is None


def test_an_authorization_is_tried_and_settled_once(store: SqlStore, own: Account) -> None:
    good, bad = authorization(own), authorization(own)
    placed = order(own, good, bad)
    store.write(lambda s: s.acme.add_authorizations([good, bad]))
    store.write(lambda s: s.acme.add_order(placed))
    kind = ChallengeKind.HTTP_01
    assert store.write(lambda s: s.acme.try_authorization(good.id, kind, NOW, NOW - 60))
    assert not store.write(lambda s: s.acme.try_authorization(good.id, kind, NOW + 1, NOW - 59))
    assert store.write(lambda s: s.acme.try_authorization(good.id, kind, NOW + 99, NOW + 39))
    valid, invalid = AuthorizationStatus.VALID, AuthorizationStatus.INVALID
    assert store.write(
        lambda s: s.acme.settle_authorization(
            good.id, valid, expires_at=NOW + 900, proof="http-01", validated_at=NOW + 99
        )
    )
    assert not store.write(lambda s: s.acme.settle_authorization(good.id, invalid))
    with store.read() as session:
        settled = replace(
            good,
            status=valid,
            expires_at=NOW + 900,
            tried=kind,
            tried_at=NOW + 99,
            proof="http-01",
            validated_at=NOW + 99,
        )
        assert session.acme.authorization(good.id) == settled
        assert session.acme.valid_authorizations(own.id, [NAME], NOW + 899) == [settled]
        assert session.acme.valid_authorizations(own.id, [NAME], NOW + 900) == []
        assert session.acme.valid_authorizations("nobody", [NAME], NOW) == []
    fault = Fault("dns", "gone")
    assert store.write(lambda s: s.acme.settle_authorization(bad.id, invalid, fault=fault))
    with store.read() as session:
        failed = session.acme.order(placed.id)
        assert failed is not None
        assert failed.status is OrderStatus.INVALID
    assert store.write(lambda s: s.acme.deactivate_authorization(good.id))
    assert not store.write(lambda s: s.acme.deactivate_authorization(bad.id))


def test_a_nonce_counts_once_and_is_forgotten_with_what_came_to_nothing(
    store: SqlStore, own: Account
) -> None:
    one = authorization(own)
    fruitless, fruitful = order(own, one), order(own, one, status=OrderStatus.VALID)
    store.write(lambda s: s.acme.add_authorizations([one]))
    store.write(lambda s: s.acme.add_order(fruitless))
    store.write(lambda s: s.acme.add_order(fruitful))
    assert store.write(lambda s: s.acme.use_nonce("n", NOW))
    assert not store.write(lambda s: s.acme.use_nonce("n", NOW))
    store.write(lambda s: s.acme.forget(NOW - 1, NOW))
    assert not store.write(lambda s: s.acme.use_nonce("n", NOW))
    store.write(lambda s: s.acme.forget(NOW, NOW + 100))
    assert store.write(lambda s: s.acme.use_nonce("n", NOW))
    with store.read() as session:
        assert session.acme.order(fruitless.id) is None
        assert session.acme.order(fruitful.id) == fruitful
        assert session.acme.authorization(one.id) == one


def test_early_renewals_newest_first(store: SqlStore) -> None:
    first = EarlyRenewal("1", "web", None, "ab", 5, 1, 2, "https://x", "olga", NOW, "why")
    second = replace(first, id="2", authority=None)
    store.write(lambda s: s.acme.add_early(first))
    store.write(lambda s: s.acme.add_early(second))
    with store.read() as session:
        assert session.acme.earlies() == [second, first]
    store.write(lambda s: s.acme.drop_early("1"))
    with pytest.raises(NotFound):
        store.write(lambda s: s.acme.drop_early("1"))
