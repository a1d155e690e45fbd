"""Searches that people keep, on each engine."""

from dataclasses import replace

from chancery.adapters.storage import SqlStore
from chancery.domain.identity import RoleClass, User
from chancery.domain.saved_filter import ListName, SavedFilter
from chancery.ports import Session
from services import records


def person(name: str) -> User:
    return User(
        name, "", "", frozenset(), frozenset(), RoleClass.GENERAL, False, None, 0, None, records.NOW
    )


def test_each_keeps_their_own(store: SqlStore) -> None:
    mine = SavedFilter("ann", ListName.REQUESTS, "waiting", "state=pending", records.NOW)
    kept = [
        mine,
        replace(mine, name="denied", query="state=denied"),
        replace(mine, list=ListName.CERTIFICATES),
        replace(mine, user="bob"),
    ]

    def fill(session: Session) -> None:
        for name in ("ann", "bob"):
            session.identities.add_user(person(name))
        for one in kept:
            session.saved_filters.put(one)

    store.write(fill)
    newer = replace(mine, query="state=pending&ra=main", created_at=records.NOW + 9)
    store.write(lambda session: session.saved_filters.put(newer))
    with store.read() as session:
        assert session.saved_filters.all("ann", ListName.REQUESTS) == [kept[1], newer]
        assert session.saved_filters.all("bob", ListName.CERTIFICATES) == []
    assert store.write(lambda s: s.saved_filters.delete("ann", ListName.REQUESTS, "waiting"))
    assert not store.write(lambda s: s.saved_filters.delete("ann", ListName.REQUESTS, "waiting"))
    store.write(lambda s: s.identities.delete_user("ann"))
    with store.read() as session:
        assert session.saved_filters.all("ann", ListName.REQUESTS) == []
        assert session.saved_filters.all("ann", ListName.CERTIFICATES) == []
        assert session.saved_filters.all("bob", ListName.REQUESTS) == [kept[3]]
