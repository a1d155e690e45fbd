"""Whoever manages a key is told in time, once, and sees it on the first page."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_house import ADMIN, OFFICER, OPERATOR, OTHER, STRANGER, KeyHouse, opened
from people import SteppedClock

from chancery.adapters.storage import open_store
from chancery.adapters.templates import JinjaRenderer
from chancery.domain.identity import Principal, Role
from chancery.domain.key_groups import KeyTemplate
from chancery.domain.key_states import KeyEvent
from chancery.domain.managed_key import KeyKind, KeyRules, KeyUse, RotationPolicy
from chancery.domain.notification import Event, Notification
from chancery.services.attention import AttentionService, Urgency
from chancery.services.keys.wanted import Wanted
from chancery.services.notifications import SILENT, Announcer, Plan
from chancery.services.notifications.recipients import recipients
from chancery.services.notifications.shipped import shipped
from chancery.services.notifications.sweeps import Sweeps
from chancery.services.notifications.values import values_of

DAY = 86_400
PLAN = Plan(mail=True, operators=("pki@example.org",), base_url="https://ca")


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path) -> Iterator[KeyHouse]:
    clock = SteppedClock()
    store = open_store(sqlite_url, clock=clock)
    with opened(store, clock, tmp_path / "home") as made:
        rules = KeyRules(frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}))
        for name, policy, period in (
            ("monthly", RotationPolicy(30, 7, warn=5), 60),
            ("by-hand", RotationPolicy(warn=10), 90),
        ):
            made.keys.templates.put(
                ADMIN, KeyTemplate(name, "", KeyKind.AES_256, rules, policy, cryptoperiod=period)
            )
            made.make(name, name)
        made.make("forever", "sign-ec-p256")
        yield made
    store.close()


def told(house: KeyHouse) -> list[Notification]:
    with house.store.read() as session:
        return session.notifications.fresh(100)


def sweep(house: KeyHouse) -> list[tuple[Event, str, int]]:
    telling = Announcer(PLAN, lambda _: None, house.clock, os.urandom)
    Sweeps(house.store, telling, house.clock).keys()
    return [(one.event, one.about, one.data["days"]) for one in told(house)]


def test_a_rotation_is_told_of_in_time_and_once(house: KeyHouse) -> None:
    house.clock.now += 25 * DAY - 1
    assert sweep(house) == []
    house.clock.now += 1
    rotation = (Event.KEY_ROTATION_DUE, "monthly", 5)
    assert sweep(house) == [rotation]
    house.clock.now += 2 * DAY
    assert sweep(house) == [rotation], "once"
    house.clock.now += 3 * DAY
    assert house.keys.rotation.run() == 1
    assert sweep(house) == [rotation]
    house.clock.now += 25 * DAY
    assert sweep(house) == [rotation, rotation], "and of the next version again"
    Sweeps(house.store, SILENT, house.clock).keys()


def test_an_end_is_told_of_where_nothing_renews_the_key(house: KeyHouse) -> None:
    house.keys.life.change(OPERATOR, "monthly", KeyEvent.SUSPEND, "look")
    house.clock.now += 60 * DAY
    house.keys.rotation.run()
    found = sweep(house)
    assert (Event.KEY_ROTATION_DUE, "monthly", 1) in found, "it is late: somebody stopped it"
    assert (Event.KEY_EXPIRING, "monthly", 1) in found
    assert len(found) == 2
    house.clock.now += 20 * DAY
    assert sweep(house)[2:] == [(Event.KEY_EXPIRING, "by-hand", 10)]
    house.keys.life.change(OPERATOR, "monthly", KeyEvent.DEACTIVATE, "not needed")
    due = house.keys.notices.due(OPERATOR)
    assert [(one.key.name, one.late) for one in due] == [("by-hand", False)]
    assert house.keys.notices.due(STRANGER) == []


def test_a_policy_that_changes_changes_what_is_told(house: KeyHouse) -> None:
    house.keys.life.edit(OPERATOR, "by-hand", rotation=RotationPolicy(10, 0, warn=10))
    assert sweep(house) == [(Event.KEY_ROTATION_DUE, "by-hand", 10)]
    house.keys.life.edit(OPERATOR, "by-hand", rotation=RotationPolicy(80, 0, warn=10))
    assert house.keys.notices.due(OPERATOR) == []


def test_those_who_manage_the_key_hear_of_it(house: KeyHouse) -> None:
    for name, role in (
        ("operator", Role.CA_OPERATOR), ("officer", Role.RA_OFFICER), ("keeper", Role.REQUESTER),
    ):  # fmt: skip
        house.account(name, role, email=f"{name}@example.org")
    house.keys.life.edit(OPERATOR, "by-hand", custodian="keeper")
    house.clock.now += 85 * DAY
    sweep(house)
    (one,) = (one for one in told(house) if one.about == "by-hand")
    with house.store.read() as session:
        mail = {found.address for found in recipients(session, PLAN, one)}
    assert mail == {"pki@example.org", "operator@example.org", "keeper@example.org"}
    values = values_of(one, PLAN.base_url)
    assert values["url"] == "https://ca/console/keys/by-hand"
    message = JinjaRenderer().render(shipped(Event.KEY_EXPIRING), values)
    assert message.subject == "Key by-hand ends within 5 days"
    assert "Custodian:  keeper" in message.text


def test_it_stands_on_the_first_page(house: KeyHouse) -> None:
    attention = AttentionService(
        house.store, house.clock, lambda: None, lambda: 0, keys=house.keys.notices.due
    )
    assert attention.points(OPERATOR) == []
    house.clock.now += 85 * DAY
    points = [(p.about, p.urgency, p.text) for p in attention.points(OPERATOR)]
    assert points[0][:2] == ("monthly", Urgency.NOW)
    assert ("by-hand", Urgency.SOON, "Key by-hand ends soon, and nothing renews it.") in points
    for number in range(4):
        house.make(f"more-{number}", "by-hand")
    house.clock.now += 85 * DAY
    texts = [p.text for p in attention.points(OPERATOR)]
    assert "4 keys end soon, and nothing renews them." in texts


def test_what_waits_for_whom(house: KeyHouse) -> None:
    keys = house.keys

    def errands(who: Principal) -> list[tuple[str, str]]:
        return [(one.kind.value, one.key) for one in keys.errands.of(who)]

    house.make("kek", "kek-aes-256")
    order = keys.life.change(OPERATOR, "kek", KeyEvent.DEACTIVATE, "over").order
    assert order is not None
    assert errands(OFFICER) == errands(OTHER) == [("agree", "kek")]
    assert errands(OPERATOR) == errands(STRANGER) == []
    keys.orders.approve(OFFICER, order.id)
    assert errands(OFFICER) == []
    assert errands(OPERATOR) == [("perform", "kek")]
    keys.orders.perform(OPERATOR, order.id)
    wanted = Wanted("typed", "vault", "kek-aes-256")
    entry = keys.parts.begin(OPERATOR, wanted, 2).entry.id
    assert errands(OFFICER) == [("bring", "typed")]
    keys.parts.enter(OFFICER, entry, 1, bytes(range(32)).hex(), "")
    assert (errands(OFFICER), errands(OPERATOR)) == ([], [])
    keys.parts.enter(OTHER, entry, 2, bytes(range(9, 41)).hex(), "")
    assert errands(OPERATOR) == [("finish", "typed")]
    keys.parts.finish(OPERATOR, entry)
    for name in ("officer", "other"):
        house.account(name, Role.RA_OFFICER)
    house.agreed(keys.parts.split(OPERATOR, "typed", ["officer", "other"]))
    assert errands(OTHER) == [("take", "typed")]
    house.clock.now += 8 * DAY
    assert errands(OTHER) == []
