"""Channels, the outbox, and who wants to hear of what."""

from dataclasses import dataclass, replace
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.errors import BadName, BadRequest, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.notification import (
    MAIL,
    Delivery,
    DeliveryState,
    Event,
    Notification,
)
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_work import DeliveryFilter, Renderer
from chancery.services.access import demand
from chancery.services.audit import event as audit_event
from chancery.services.notifications.outbox import delivery_of, in_force, job_of, put
from chancery.services.notifications.plan import Plan
from chancery.services.notifications.recipients import EVERYTHING, Recipient
from chancery.services.notifications.templates import TemplateService
from chancery.services.notifications.values import values_of

_MOST: Final = 1000  # failures are counted no further
TOLD_TO_PEOPLE: Final = tuple(event for event in Event if event is not Event.TEST)


@dataclass(frozen=True, slots=True)
class Channel:
    """A way out, and how it does.  *unsent* includes what *failed*."""

    name: str
    target: str
    events: tuple[Event, ...]
    ras: tuple[str, ...]
    unsent: int
    failed: int
    last_sent_at: int | None
    last_error: str | None


class NotificationService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        renderer: Renderer,
        clock: Clock,
        entropy: Entropy,
        *,
        mail_target: str = "",
    ) -> None:
        """*mail_target* says to people where mail goes."""
        self._store = store
        self._plan = plan
        self._renderer = renderer
        self._clock = clock
        self._entropy = entropy
        self._mail_target = mail_target
        self.templates = TemplateService(store, renderer, clock, plan.base_url)

    # Channels

    def channels(self, principal: Principal) -> list[Channel]:
        """What ``chancery.toml`` sets up, mail first."""
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            depth = session.notifications.depth()
            found = []
            if self._plan.mail:
                found.append(self._channel(session, MAIL, self._mail_target, depth.get(MAIL, 0)))
            for hook in self._plan.webhooks:
                one = self._channel(session, hook.channel, hook.url, depth.get(hook.channel, 0))
                found.append(
                    replace(one, events=tuple(sorted(hook.events)), ras=tuple(sorted(hook.ras)))
                )
        return found

    def _channel(self, session: Session, name: str, target: str, unsent: int) -> Channel:
        def newest(state: DeliveryState, limit: int) -> list[Delivery]:
            where = DeliveryFilter(state=state, channel=name)
            return session.notifications.deliveries(where, None, limit)

        sent = newest(DeliveryState.SENT, 1)
        failed = newest(DeliveryState.FAILED, _MOST)
        waiting = newest(DeliveryState.WAITING, 20)
        errors = [one.error for one in (*waiting, *failed) if one.error]
        return Channel(
            name, target, (), (), unsent, len(failed),
            sent[0].sent_at if sent else None, errors[0] if errors else None,
        )  # fmt: skip

    def test(self, principal: Principal, channel: str, address: str | None = None) -> Delivery:
        """Send a message through *channel* now; for mail to *address*, or to one's own.

        It goes the way of all messages: what is returned still waits.
        """
        demand(principal, Permission.WORK_MANAGE)
        recipient = self._recipient(principal, channel, address)
        now = self._clock.ms()
        told = Notification(
            new_id(now, self._entropy(10)),
            Event.TEST,
            None,
            channel,
            {"by": principal.name},
            now // 1000,
        )
        values = values_of(told, self._plan.base_url)

        def unit(session: Session) -> Delivery:
            message = self._renderer.render(in_force(session, Event.TEST), values)
            made = delivery_of(told, recipient, message, values, now, self._entropy)
            session.notifications.add([told])
            session.notifications.expanded(told.id, now // 1000)
            put(session, [made])
            tested = audit_event(
                principal, "notification.tested", channel, recipient=recipient.address
            )
            session.audit.append([tested], now)
            return made

        return self._store.write(unit)

    def _recipient(self, principal: Principal, channel: str, address: str | None) -> Recipient:
        hook = next((hook for hook in self._plan.webhooks if hook.channel == channel), None)
        if hook is not None:
            return Recipient(hook.channel, hook.name)
        if channel != MAIL or not self._plan.mail:
            raise NotFound(
                f"there is no channel {channel!r}",
                field="channel",
                rule="channel.known",
                remedy="set it up in chancery.toml: [mail], or [[webhooks]] with this name",
            )
        if address is None:
            with self._store.read() as session:
                user = session.identities.user(principal.name)
            address = user.email if user is not None else ""
        try:
            return Recipient(MAIL, name_syntax.email(address))
        except BadName as error:
            raise BadRequest(
                str(error) if address else "your account has no mail address",
                field="address",
                rule="mail.address",
                remedy="give the address that the test is to go to",
            ) from None

    # The outbox

    def find(
        self,
        principal: Principal,
        where: DeliveryFilter,
        cursor: str | None = None,
        limit: int = 100,
    ) -> list[Delivery]:
        """Messages, newest first."""
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return session.notifications.deliveries(where, cursor, limit)

    def show(self, principal: Principal, delivery_id: str) -> Delivery:
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return _known(session, delivery_id)

    def retry(self, principal: Principal, delivery_id: str) -> Delivery:
        """Send it now, under the same id: one that failed or waits, or one that was sent before."""
        demand(principal, Permission.WORK_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> Delivery:
            found = _known(session, delivery_id)
            if found.state is DeliveryState.SENT:
                session.notifications.sent(delivery_id, None)
                session.jobs.add([job_of(found, now // 1000)])
            else:
                session.jobs.retry(delivery_id, now // 1000)
            told = audit_event(
                principal, "notification.retried", delivery_id, recipient=found.recipient
            )
            session.audit.append([told], now)
            return _known(session, delivery_id)

        return self._store.write(unit)

    # Preferences

    def opted_out(self, principal: Principal) -> frozenset[str]:
        """Events that *principal* wants no mail of; ``*`` stands for all."""
        demand(principal, Permission.AUTHENTICATED)
        with self._store.read() as session:
            return session.notifications.opted_out(principal.name)

    def set_opted_out(self, principal: Principal, events: frozenset[str]) -> frozenset[str]:
        demand(principal, Permission.AUTHENTICATED)
        known = {event.value for event in TOLD_TO_PEOPLE} | {EVERYTHING}
        if unknown := events - known:
            raise BadRequest(
                f"there is no event {min(unknown)!r}",
                field="events",
                rule="event.known",
                remedy="one of: " + ", ".join(sorted(known)),
            )
        now = self._clock.ms()

        def unit(session: Session) -> None:
            session.notifications.set_opted_out(principal.name, events)
            told = audit_event(
                principal, "notification.preferences", principal.name, unwanted=sorted(events)
            )
            session.audit.append([told], now)

        self._store.write(unit)
        return events


def _known(session: Session, delivery_id: str) -> Delivery:
    found = session.notifications.delivery(delivery_id)
    if found is None:
        raise NotFound(
            f"there is no message {delivery_id!r}",
            field="id",
            rule="message.known",
            remedy="sent messages are forgotten after a while",
        )
    return found
