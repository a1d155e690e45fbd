"""Custodians, sets and bundles on record, on both engines."""

from dataclasses import replace

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.custody import (
    BundleState,
    Custodian,
    CustodyPurpose,
    RegisteredCustodian,
    ShareSet,
    SigningBundle,
)
from chancery.domain.errors import NotFound, WrongState
from chancery.wire import custody

ADA = RegisteredCustodian("ada", "Ada Lovelace", "", 5)
BUNDLE = SigningBundle("01", BundleState.OPEN, "{}\n", "ab", 2, 7, "operator", 9)


def made(purpose: CustodyPurpose, at: int) -> ShareSet:
    people = (Custodian("ada"), Custodian("eva"), Custodian("mary"))
    return custody.split(bytes(32), people, threshold=2, purpose=purpose, now=at)[0]


def test_a_custodian_is_kept_changed_and_retired(store: SqlStore) -> None:
    store.write(lambda session: session.custody.put_custodian(ADA))
    changed = replace(ADA, recipient="age1x", retired_at=8)
    store.write(lambda session: session.custody.put_custodian(changed))
    with store.read() as session:
        assert session.custody.custodian("ada") == changed
        assert session.custody.custodian("eva") is None
        assert session.custody.custodians() == [changed]


def test_a_new_set_takes_the_place_of_the_one_before(store: SqlStore) -> None:
    first, second = made(CustodyPurpose.VAULT, 1), made(CustodyPurpose.VAULT, 2)
    other = made(CustodyPurpose.BACKUP, 3)
    for one in (first, other, second, second):
        store.write(lambda session, one=one: session.custody.put_set(one))
    with store.read() as session:
        found = session.custody.sets()
    assert [(one.share_set, one.retired_at) for one in found] == [
        (other, None),
        (second, None),
        (first, 2),
    ]
    store.write(lambda session: session.custody.retire_set(found[0].digest, 9))
    with pytest.raises(NotFound):
        store.write(lambda session: session.custody.retire_set(found[0].digest, 9))


def test_stores_of_offline_cas_stand_beside_each_other(store: SqlStore) -> None:
    first, second = (made(CustodyPurpose.OFFLINE_STORE, at) for at in (1, 2))
    assert first.id != second.id
    for one in (first, second):
        store.write(lambda session, one=one: session.custody.put_set(one))
    with store.read() as session:
        assert all(one.retired_at is None for one in session.custody.sets())


def test_a_bundle_is_closed_once(store: SqlStore) -> None:
    for number in ("01", "02"):
        store.write(lambda session, n=number: session.custody.add_bundle(replace(BUNDLE, id=n)))
    store.write(
        lambda session: session.custody.close_bundle("01", BundleState.ANSWERED, by="eve", at=11)
    )
    with pytest.raises(WrongState):
        store.write(
            lambda session: session.custody.close_bundle("01", BundleState.WITHDRAWN, by="x", at=12)
        )
    with store.read() as session:
        closed = session.custody.bundle("01")
        assert closed == replace(BUNDLE, state=BundleState.ANSWERED, closed_by="eve", closed_at=11)
        assert [one.id for one in session.custody.bundles(None, None, 9)] == ["02", "01"]
        assert [one.id for one in session.custody.bundles(BundleState.OPEN, None, 9)] == ["02"]
        assert [one.id for one in session.custody.bundles(None, "02", 9)] == ["01"]
        assert session.custody.bundle("03") is None
