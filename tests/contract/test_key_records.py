"""Managed keys on record, on each engine."""

from dataclasses import replace

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import AlreadyExists, CAError, Conflict, WrongState
from chancery.domain.key_groups import KeyGroup, KeyRight
from chancery.domain.key_orders import KeyAction, KeyOrder, OrderState
from chancery.domain.key_states import KeyDates
from chancery.domain.managed_key import (
    CheckMethod,
    KeyFacts,
    KeyKind,
    KeyRules,
    KeyUse,
    KeyVersion,
    ManagedKey,
    Origin,
    RotationPolicy,
)
from chancery.domain.shipped_keys import TEMPLATES
from chancery.ports_keys import KeyEntry, KeyFilter

NOW = 1_790_000_000
RULES = KeyRules(frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}))
GROUP = KeyGroup("apps", "of apps", "", {"ca-operator": frozenset({KeyRight.USE, KeyRight.VIEW})})


def key(name: str, **more: object) -> ManagedKey:
    made = ManagedKey(
        f"01a20eba-61b9-7551-991b-{name.encode().hex():0>12}", name, "apps", KeyKind.AES_256, RULES,
        "data-aes-256", "", "Ops", RotationPolicy(365, -1), 730, NOW, "ann", 1, labels={"app": "x"},
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def version(of: ManagedKey, number: int = 1) -> KeyVersion:
    facts = KeyFacts(KeyKind.AES_256, "AABBCCDDEE", CheckMethod.AES_CMAC, b"\x30\x00", "ab")
    dates = KeyDates(NOW, NOW, NOW + 9)
    handle = f"{of.id}.{number}"
    return KeyVersion(of.id, number, handle, "software", Origin.GENERATED, facts, dates, "ann")


def test_keys_and_versions(store: SqlStore) -> None:
    one, two = key("app-a", rotates_at=NOW + 5), key("App-b", kind=KeyKind.HMAC_SHA256)
    store.write(lambda s: s.keys.put_group(GROUP))
    for each in (one, two):
        store.write(lambda s, each=each: s.keys.add(each, version(each)))  # type: ignore[misc]
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.keys.add(key("app-a"), version(one, 7)))
    newer = replace(one, current=2, rotates_at=NOW + 50)
    store.write(lambda s: s.keys.update(newer, before=one))
    store.write(lambda s: s.keys.add_version(version(one, 2)))
    with pytest.raises(Conflict):
        store.write(lambda s: s.keys.update(newer, before=one))
    ended = replace(version(one), dates=KeyDates(NOW, NOW, NOW, NOW))
    store.write(lambda s: s.keys.update_version(ended))
    with store.read() as session:
        records = session.keys
        assert records.get("app-a") == records.by_id(one.id) == newer
        assert records.versions(one.id) == [version(one, 2), ended]
        assert records.version(one.id, 1) == ended
        assert records.version(one.id, 3) is None
        assert [k.name for k in records.find(KeyFilter(), None, 9)] == ["App-b", "app-a"]
        assert [k.name for k in records.find(KeyFilter(), "App-b", 9)] == ["app-a"]
        assert records.find(KeyFilter(text="APP-A"), None, 9) == [newer]
        assert records.find(KeyFilter(kind="hmac-sha256", group="apps"), None, 9) == [two]
        assert records.find(KeyFilter(frozenset()), None, 9) == []
        assert records.due(NOW + 49, 9) == []
        assert records.due(NOW + 50, 9) == [newer]
        assert records.group("apps") == GROUP
        assert records.groups() == [GROUP]
    with pytest.raises(CAError):
        store.write(lambda s: s.keys.delete_group("apps"))


def test_templates(store: SqlStore) -> None:
    for template in TEMPLATES.values():
        store.write(lambda s, one=template: s.keys.put_template(one))  # type: ignore[misc]
    with store.read() as session:
        assert {one.name: one for one in session.keys.templates()} == TEMPLATES
        assert session.keys.template("kek-aes-256") == TEMPLATES["kek-aes-256"]
    assert store.write(lambda s: s.keys.delete_template("kek-aes-256"))
    assert not store.write(lambda s: s.keys.delete_template("kek-aes-256"))


def test_orders_move_once(store: SqlStore) -> None:
    order = KeyOrder(
        "01a1", "app", "apps", KeyAction.WRAP, {"name": "app", "version": 1, "by": None}, "ab" * 32,
        2, ("ann",), (), OrderState.OPEN, NOW, NOW + 9,
    )  # fmt: skip
    later = replace(order, id="01a2")
    store.write(lambda s: s.keys.add_order(order))
    store.write(lambda s: s.keys.add_order(later))
    agreed = replace(order, approvers=("bob",))
    store.write(lambda s: s.keys.update_order(agreed, before=order))
    with pytest.raises(WrongState):
        store.write(lambda s: s.keys.update_order(replace(order, approvers=("eve",)), before=order))
    done = replace(agreed, state=OrderState.DONE, closed_at=NOW)
    store.write(lambda s: s.keys.update_order(done, before=agreed))
    with store.read() as session:
        assert session.keys.order("01a1") == done
        assert session.keys.orders(None, None, 9) == [later, done]
        assert session.keys.orders(OrderState.DONE, None, 9) == [done]
        assert session.keys.orders(None, "01a2", 9) == [done]


def test_entries_and_escrow(store: SqlStore) -> None:
    entry = KeyEntry("01a1", "app", "apps", True, 3, "{}", "ann", NOW, NOW + 9, False)
    store.write(lambda s: s.keys.put_entry(entry))
    closed = replace(entry, document='{"a":1}', closed=True)
    store.write(lambda s: s.keys.put_entry(closed))
    made = key("app")
    store.write(lambda s: s.keys.put_group(GROUP))
    store.write(lambda s: s.keys.add(made, version(made)))
    store.write(lambda s: s.keys.put_escrow(made.id, 1, "first", NOW))
    store.write(lambda s: s.keys.put_escrow(made.id, 1, "second", NOW))
    with store.read() as session:
        assert session.keys.entry("01a1") == closed
        assert session.keys.entries(None, 9) == [closed]
        assert session.keys.entries("01a1", 9) == []
        assert session.keys.escrow(made.id, 1) == "second"
        assert session.keys.escrow(made.id, 2) is None
