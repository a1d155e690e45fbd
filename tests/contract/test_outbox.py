"""The outbox on record: what happened is there once, and what is over is forgotten."""

from dataclasses import replace

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import AlreadyExists
from chancery.domain.identity import RoleClass, User
from chancery.domain.notification import (
    Delivery,
    DeliveryState,
    Event,
    MessageTemplate,
    Notification,
)
from chancery.domain.work import Job
from chancery.ports_work import DeliveryFilter

NOW = 1_790_000_000
DAY = 86_400


def told(name: str, **changes: object) -> Notification:
    made = Notification(name, Event.TEST, "main", "x", {"by": "Zoë"}, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def delivery(name: str, of: str, channel: str = "mail", **changes: object) -> Delivery:
    body = {"text": "t", "html": "h"}
    made = Delivery(name, of, Event.TEST, "x", channel, "a@example.org", "s", body, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def put(store: SqlStore, *deliveries: Delivery) -> None:
    store.write(
        lambda s: (
            s.notifications.add_deliveries(deliveries),
            s.jobs.add([Job(one.id, "mail", one.channel, NOW, 0, NOW) for one in deliveries]),
        )
    )


def test_a_mark_makes_it_happen_once(store: SqlStore) -> None:
    store.write(lambda s: s.notifications.add([told("a", mark="m"), told("b")]))
    store.write(lambda s: s.notifications.add([told("c", mark="m"), told("d")]))
    with store.read() as session:
        assert session.notifications.fresh(10) == [told("a", mark="m"), told("b"), told("d")]
        assert session.notifications.marked(["m", "n"]) == {"m"}
    assert store.write(lambda s: s.notifications.expanded("b", NOW)) is True
    assert store.write(lambda s: s.notifications.expanded("b", NOW)) is False  # by another node
    with store.read() as session:
        assert [one.id for one in session.notifications.fresh(10)] == ["a", "d"]


def test_deliveries_stand_where_their_jobs_do(store: SqlStore) -> None:
    store.write(lambda s: s.notifications.add([told("n")]))
    first, second = delivery("a", "n"), delivery("b", "n", "webhook:crm")
    put(store, first, second)
    with pytest.raises(AlreadyExists):  # the same to the same
        put(store, replace(first, id="c"))
    (job,) = store.write(lambda s: s.jobs.claim(["mail"], "me", NOW, 60, 1))
    store.write(lambda s: s.jobs.give_up(job.id, job.leased_by or "", "no", NOW))
    with store.read() as session:
        outbox = session.notifications
        found = outbox.delivery("a")
        assert found == replace(first, state=DeliveryState.FAILED, attempts=1, error="no")
        for where, ids in (
            (DeliveryFilter(), ["b", "a"]),
            (DeliveryFilter(state=DeliveryState.FAILED), ["a"]),
            (DeliveryFilter(state=DeliveryState.WAITING), ["b"]),
            (DeliveryFilter(state=DeliveryState.SENT), []),
            (DeliveryFilter(channel="webhook:crm", recipient="a@example.org"), ["b"]),
            (DeliveryFilter(event=Event.CRL_LATE), []),
            (DeliveryFilter(about="x"), ["b", "a"]),
        ):
            assert [one.id for one in outbox.deliveries(where, None, 10)] == ids
        assert [one.id for one in outbox.deliveries(DeliveryFilter(), "b", 10)] == ["a"]
        assert outbox.depth() == {"mail": 1, "webhook:crm": 1}
    store.write(lambda s: s.notifications.sent("b", NOW + 1))
    with store.read() as session:
        sent = session.notifications.delivery("b")
        assert sent is not None
        assert (sent.state, sent.sent_at) == (DeliveryState.SENT, NOW + 1)
        assert session.notifications.depth() == {"mail": 1}


def test_what_was_sent_is_forgotten_but_not_that_it_happened(store: SqlStore) -> None:
    names = {"sent": {}, "unsent": {}, "nobody": {}, "marked": {"mark": "m"}}
    for name, more in names.items():
        store.write(lambda s, n=name, m=more: s.notifications.add([told(n, **m)]))
        store.write(lambda s, n=name: s.notifications.expanded(n, NOW))
        if name != "nobody":
            put(store, delivery(f"{name}-1", name))
        if name in {"sent", "marked"}:
            store.write(lambda s, n=name: s.notifications.sent(f"{n}-1", NOW))
    assert store.write(lambda s: s.notifications.purge(NOW, 10)) == 0
    assert store.write(lambda s: s.notifications.purge(NOW + 1, 1)) == 1
    assert store.write(lambda s: s.notifications.purge(NOW + 1, 10)) == 1
    with store.read() as session:
        left = session.notifications.deliveries(DeliveryFilter(), None, 10)
        assert {one.notification_id for one in left} == {"unsent", "marked"}
    assert store.write(lambda s: s.notifications.purge(NOW + 401 * DAY, 10)) == 1
    with store.read() as session:
        assert session.notifications.marked(["m"]) == frozenset()


def test_templates_have_versions(store: SqlStore) -> None:
    first = MessageTemplate(Event.TEST, "s", "t", "<p>", 1, NOW, "ada")
    back = MessageTemplate(Event.TEST, "", "", None, 2, NOW, "ada")
    with store.read() as session:
        assert session.notifications.template(Event.TEST) is None
    for one in (first, back):
        store.write(lambda s, t=one: s.notifications.add_template(t))
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.notifications.add_template(first))
    with store.read() as session:
        assert session.notifications.template(Event.TEST) == back
        assert session.notifications.template_versions(Event.TEST) == [first, back]


def test_wishes_go_with_their_account(store: SqlStore) -> None:
    user = User(
        "olga", "", "", frozenset(), frozenset(), RoleClass.GENERAL, False, None, 0, None, NOW
    )
    store.write(lambda s: s.identities.add_user(user))
    for wishes in (frozenset({"a", "b"}), frozenset({"*"})):
        store.write(lambda s, w=wishes: s.notifications.set_opted_out("olga", w))
        with store.read() as session:
            assert session.notifications.opted_out("olga") == wishes
    store.write(lambda s: s.identities.delete_user("olga"))
    store.write(lambda s: s.identities.add_user(user))
    with store.read() as session:
        assert session.notifications.opted_out("olga") == frozenset()
