"""The outbox: what happened, to whom it is told in which words, and whether it went out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select

from chancery.adapters.storage import schema_work
from chancery.adapters.storage.link import Link, Record, insert_sql
from chancery.domain.notification import (
    Delivery,
    DeliveryState,
    Event,
    MessageTemplate,
    Notification,
)
from chancery.ports_work import DeliveryFilter

_N: Final = schema_work.notification
_D: Final = schema_work.delivery
_J: Final = schema_work.job
_T: Final = schema_work.message_template
_O: Final = schema_work.notification_opt_out
_MARKED_S: Final = 400 * 86_400
"""A mark is kept so much longer: what happened once must not be told again meanwhile."""

_ADD: Final = insert_sql(_N, "ON CONFLICT DO NOTHING")
_DELIVERY: Final = select(
    _D.c.id, _D.c.notification_id, _N.c.event, _N.c.about, _D.c.channel, _D.c.recipient,
    _D.c.subject, _D.c.body, _D.c.created_at, _D.c.sent_at,
    _J.c.attempts, _J.c.due_at, _J.c.error, _J.c.failed_at,
).select_from(
    _D.join(_N, _N.c.id == _D.c.notification_id).outerjoin(_J, _J.c.id == _D.c.id)
)  # fmt: skip
_STATES: Final = {
    DeliveryState.SENT: _D.c.sent_at.is_not(None),
    DeliveryState.WAITING: and_(_D.c.sent_at.is_(None), _J.c.failed_at.is_(None)),
    DeliveryState.FAILED: and_(_D.c.sent_at.is_(None), _J.c.failed_at.is_not(None)),
}


class SqlNotifications:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, notifications: Sequence[Notification]) -> None:
        self._link.many(
            _ADD,
            [
                (n.id, n.event.value, n.ra, n.about, _json(n.data), n.mark, n.created_at, None)
                for n in notifications
            ],
        )

    def marked(self, marks: Sequence[str]) -> frozenset[str]:
        rows = self._link.rows(select(_N.c.mark).where(_N.c.mark.in_(marks)))
        return frozenset(row.mark for row in rows)

    def fresh(self, limit: int) -> list[Notification]:
        cursor = self._link.driver(
            "SELECT id, event, ra, about, data, created_at, mark FROM notification"
            " WHERE expanded_at IS NULL ORDER BY id LIMIT ?",
            (limit,),
        )
        return [
            Notification(id_, Event(event), ra, about, json.loads(data), created_at, mark)
            for id_, event, ra, about, data, created_at, mark in cursor
        ]

    def expanded(self, notification_id: str, now: int) -> bool:
        sql = "UPDATE notification SET expanded_at = ? WHERE id = ? AND expanded_at IS NULL"
        return bool(self._link.driver(sql, (now, notification_id)).rowcount)

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._link.many(
            insert_sql(_D),
            [
                (
                    d.id, d.notification_id, d.channel, d.recipient, d.subject, _json(d.body),
                    d.created_at, d.sent_at,
                )
                for d in deliveries
            ],
        )  # fmt: skip

    def sent(self, delivery_id: str, now: int | None) -> None:
        self._link.driver("UPDATE delivery SET sent_at = ? WHERE id = ?", (now, delivery_id))

    def delivery(self, delivery_id: str) -> Delivery | None:
        row = self._link.first(_DELIVERY.where(_D.c.id == delivery_id))
        return _delivery(row) if row is not None else None

    def deliveries(self, where: DeliveryFilter, cursor: str | None, limit: int) -> list[Delivery]:
        found: list[ColumnElement[bool]] = []
        if where.state is not None:
            found.append(_STATES[where.state])
        if where.channel is not None:
            found.append(_D.c.channel == where.channel)
        if where.recipient is not None:
            found.append(_D.c.recipient == where.recipient)
        if where.event is not None:
            found.append(_N.c.event == where.event.value)
        if where.about is not None:
            found.append(_N.c.about == where.about)
        if cursor is not None:
            found.append(_D.c.id < cursor)
        statement = _DELIVERY.where(*found).order_by(_D.c.id.desc()).limit(limit)
        return [_delivery(row) for row in self._link.rows(statement)]

    def depth(self) -> Mapping[str, int]:
        statement = select(_D.c.channel, func.count()).where(_D.c.sent_at.is_(None))
        return dict(map(tuple, self._link.rows(statement.group_by(_D.c.channel))))

    def purge(self, sent_before: int, limit: int) -> int:
        open_ = and_(
            _D.c.notification_id == _N.c.id,
            _D.c.sent_at.is_(None) | (_D.c.sent_at >= sent_before),
        )
        old = (
            select(_N.c.id)
            .where(
                _N.c.expanded_at < sent_before,
                or_(_N.c.mark.is_(None), _N.c.expanded_at < sent_before - _MARKED_S),
                ~exists().where(open_),
            )
            .order_by(_N.c.id)
            .limit(limit)
        )
        return self._link.run(delete(_N).where(_N.c.id.in_(old))).rowcount

    def template(self, event: Event) -> MessageTemplate | None:
        statement = select(_T).where(_T.c.event == event.value).order_by(_T.c.version.desc())
        row = self._link.first(statement.limit(1))
        return _template(row) if row is not None else None

    def template_versions(self, event: Event) -> list[MessageTemplate]:
        statement = select(_T).where(_T.c.event == event.value).order_by(_T.c.version)
        return [_template(row) for row in self._link.rows(statement)]

    def add_template(self, template: MessageTemplate) -> None:
        t = template
        self._link.run(
            insert(_T).values(
                event=t.event.value, version=t.version, subject=t.subject or None,
                text=t.text or None, html=t.html, created_at=t.created_at,
                created_by=t.created_by,
            )
        )  # fmt: skip

    def opted_out(self, user: str) -> frozenset[str]:
        rows = self._link.rows(select(_O.c.event).where(_O.c.user_name == user))
        return frozenset(row.event for row in rows)

    def set_opted_out(self, user: str, events: frozenset[str]) -> None:
        self._link.run(delete(_O).where(_O.c.user_name == user))
        self._link.many(insert_sql(_O), [(user, event) for event in sorted(events)])


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _template(row: Record) -> MessageTemplate:
    event, version, subject, text, html, created_at, created_by = row
    return MessageTemplate(
        Event(event), subject or "", text or "", html, version, created_at, created_by
    )


def _delivery(row: Record) -> Delivery:
    (
        id_, notification_id, event, about, channel, recipient, subject, body, created_at, sent_at,
        attempts, due_at, error, failed_at,
    ) = row  # fmt: skip
    if sent_at is not None:
        state = DeliveryState.SENT
    else:
        state = DeliveryState.WAITING if failed_at is None else DeliveryState.FAILED
    return Delivery(
        id_, notification_id, Event(event), about, channel, recipient, subject, json.loads(body),
        created_at, sent_at, state, attempts or 0, due_at, error,
    )  # fmt: skip
