"""From what happened to messages that wait to be sent, and from there to the world.

Finding the recipients is idempotent: it is done in one unit of work that also
says that it was done.  Sending is a leased job for each message, tried again
until it is taken; the message's id never changes, so that whoever gets it
twice can tell.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from chancery.domain.errors import BadRequest
from chancery.domain.ids import new_id
from chancery.domain.notification import (
    MAIL,
    Delivery,
    Event,
    Message,
    MessageTemplate,
    Notification,
)
from chancery.domain.work import Job, RetryPolicy
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_work import Hooks, Mailer, Renderer
from chancery.services.jobs import Finish, Lease
from chancery.services.notifications.plan import Plan
from chancery.services.notifications.recipients import Recipient, recipients
from chancery.services.notifications.shipped import shipped
from chancery.services.notifications.values import values_of
from chancery.wire import documents

_log = logging.getLogger(__name__)

KINDS: Final = ("mail", "webhook")
"""Of jobs: apart, so that a receiver that hangs does not hold up the mail."""

_BATCH: Final = 100


class Expansion:
    """Finds the recipients of what is on record, and writes their messages."""

    def __init__(
        self, store: Store, plan: Plan, renderer: Renderer, clock: Clock, entropy: Entropy
    ) -> None:
        self._store = store
        self._plan = plan
        self._renderer = renderer
        self._clock = clock
        self._entropy = entropy

    def run(self) -> int:
        """Expand all there is; return how many notifications that were."""
        expanded = 0
        while batch := self._some():
            expanded += batch
            if batch < _BATCH:
                break
        return expanded

    def _some(self) -> int:
        with self._store.read() as session:
            fresh = session.notifications.fresh(_BATCH)
            written = [(one, self._deliveries(session, one)) for one in fresh]
        if not written:
            return 0
        now = self._clock.s()

        def unit(session: Session) -> None:
            ours = [
                delivery
                for one, deliveries in written
                if session.notifications.expanded(one.id, now)
                for delivery in deliveries
            ]
            put(session, ours)

        self._store.write(unit)
        return len(written)

    def _deliveries(self, session: Session, told: Notification) -> list[Delivery]:
        values = values_of(told, self._plan.base_url)
        message: Message | None = None
        found = []
        for recipient in recipients(session, self._plan, told):
            if recipient.channel == MAIL and message is None:
                template = in_force(session, told.event)
                message = self._render(template, values)
            found.append(
                delivery_of(told, recipient, message, values, self._clock.ms(), self._entropy)
            )
        return found

    def _render(self, template: MessageTemplate, values: dict[str, Any]) -> Message:
        """An edited template that fails all the same must not cost the message."""
        try:
            return self._renderer.render(template, values)
        except BadRequest as error:
            _log.warning("template of %s: %s", template.event.value, error)
            return self._renderer.render(shipped(template.event), values)


def in_force(session: Session, event: Event) -> MessageTemplate:
    """The edited template of *event*, or the shipped one."""
    edited = session.notifications.template(event)
    return edited if edited is not None and edited.text else shipped(event)


def delivery_of(
    told: Notification,
    recipient: Recipient,
    message: Message | None,
    values: dict[str, Any],
    now_ms: int,
    entropy: Entropy,
) -> Delivery:
    """One message as it will be sent."""
    body: dict[str, Any]
    if recipient.channel == MAIL:
        assert message is not None
        subject, body = message.subject, {"text": message.text, "html": message.html}
    else:
        data = {key: one for key, one in values.items() if key not in {"event", "at", "base_url"}}
        subject = f"{told.event.value} {told.about}"
        body = {
            "type": told.event.value,
            "timestamp": datetime.fromtimestamp(told.created_at, UTC).isoformat(),
            "data": data,
        }
    return Delivery(
        id=new_id(now_ms, entropy(10)),
        notification_id=told.id,
        event=told.event,
        about=told.about,
        channel=recipient.channel,
        recipient=recipient.address,
        subject=subject,
        body=body,
        created_at=now_ms // 1000,
    )


def put(session: Session, deliveries: Sequence[Delivery]) -> None:
    """Put messages on record, each with the job that sends it."""
    session.notifications.add_deliveries(deliveries)
    session.jobs.add([job_of(one, one.created_at) for one in deliveries])


def job_of(delivery: Delivery, now: int) -> Job:
    """What sends it: the job of the same id."""
    return Job(delivery.id, delivery.channel.partition(":")[0], delivery.channel, now, 0, now)


class Sending:
    """The job that sends one message (``services.jobs.Handler``), of one of ``KINDS``."""

    # An hour between the later tries: about three days in all.
    policy = RetryPolicy(lease_s=120, attempts=80, first_s=10, longest_s=3600)

    def __init__(
        self, kind: str, store: Store, mailer: Mailer | None, hooks: Hooks, clock: Clock
    ) -> None:
        self.kind = kind
        self._store = store
        self._mailer = mailer
        self._hooks = hooks
        self._clock = clock

    def run(self, lease: Lease) -> Finish | None:
        with self._store.read() as session:
            delivery = session.notifications.delivery(lease.job.id)
        if delivery is None or delivery.sent_at is not None:
            return None
        self._send(delivery)
        sent_at = self._clock.s()
        return lambda session: session.notifications.sent(delivery.id, sent_at)

    def given_up(self, session: Session, job: Job, error: str, now_ms: int) -> None:
        """It stays in the outbox, shown as failed; mail about mail would go the same way."""

    def _send(self, delivery: Delivery) -> None:
        if delivery.channel == MAIL:
            if self._mailer is None:
                raise BadRequest(
                    "there is no [mail] in chancery.toml any more",
                    field="channel",
                    rule="mail.known",
                    remedy="discard the message, or put the section back",
                )
            body = delivery.body
            message = Message(delivery.subject, body["text"], body["html"])
            self._mailer.send(delivery.id, delivery.recipient, message, delivery.created_at)
            return
        body_octets = documents.encode(delivery.body)
        self._hooks.send(delivery.recipient, delivery.id, body_octets, self._clock.s())
