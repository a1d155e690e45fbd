"""Messages to people and machines: channels, the outbox, templates, preferences."""

from typing import Annotated, Any

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Out, PageOut
from chancery.api.paging import page, paged
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.notification import Delivery, DeliveryState, Event, MessageTemplate
from chancery.ports_work import DeliveryFilter
from chancery.services.notifications.service import Channel

door = Door("/notifications", "notifications")

Words = Annotated[str, Field(max_length=20_000)]


class ChannelOut(Out):
    """A way out, as chancery.toml sets it up, and how it does."""

    name: str
    target: str
    events: list[Event] = Field(description="Of a webhook; empty: all.")
    ras: list[str] = Field(description="Of a webhook; empty: all.")
    unsent: int = Field(description="Failed ones included.")
    failed: int
    last_sent_at: int | None
    last_error: str | None


class TestIn(In):
    address: Annotated[str, Field(max_length=320)] | None = Field(
        default=None, description="For mail: where to; else to your own address."
    )


class MessageOut(Out):
    """A message to one recipient.  Its id is the Message-ID or webhook-id, whatever is retried."""

    id: str
    event: Event
    about: str
    channel: str
    recipient: str
    subject: str
    state: DeliveryState
    attempts: int
    due_at: int | None
    error: str | None
    created_at: int
    sent_at: int | None


class MessageDetailOut(MessageOut):
    body: dict[str, Any] = Field(description="Text and HTML of mail, the document of a webhook.")


class TemplateOut(Out):
    """Version 0 is as shipped; without `html` it is made from the text."""

    event: Event
    subject: str
    text: str
    html: str | None
    version: int
    created_at: int
    created_by: str


class TemplateIn(In):
    subject: Words
    text: Words
    html: Words | None = None


class TemplatePutIn(TemplateIn):
    base: int | None = Field(
        default=None, description="The version that was edited: refused if it is not in force."
    )


class FilledOut(Out):
    subject: str
    text: str
    html: str


class PreferencesOut(Out):
    unwanted: list[str] = Field(description="Events you want no mail of; * for all.")


class PreferencesIn(In):
    unwanted: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=32)]


def _message(delivery: Delivery) -> MessageOut:
    return MessageOut.model_validate(delivery, from_attributes=True)


def _channel(channel: Channel) -> ChannelOut:
    return ChannelOut.model_validate(channel, from_attributes=True)


def _template(template: MessageTemplate) -> TemplateOut:
    return TemplateOut.model_validate(template, from_attributes=True)


@door.route("GET", "", Permission.WORK_READ)
def list_messages(
    who: Who,
    using: Using,
    state: DeliveryState | None = None,
    channel: str | None = None,
    recipient: str | None = None,
    event: Event | None = None,
    about: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[MessageOut]:
    """List messages, newest first."""
    asked = page(cursor, limit)
    where = DeliveryFilter(state, channel, recipient, event, about)
    found = using.notifications.find(who, where, asked.cursor, asked.limit)
    return paged(found, limit, lambda one: one.id, _message)


@door.route("GET", "/channels", Permission.WORK_READ)
def list_channels(who: Who, using: Using) -> list[ChannelOut]:
    """List the ways messages go out, and how each does."""
    return [_channel(one) for one in using.notifications.channels(who)]


@door.route("POST", "/channels/{channel}/test", Permission.WORK_MANAGE, status=202)
def try_channel(who: Who, using: Using, channel: str, body: TestIn | None = None) -> MessageOut:
    """Send a message through a channel; it goes the way of all messages."""
    address = body.address if body else None
    return _message(using.notifications.test(who, channel, address))


@door.route("GET", "/preferences", Permission.AUTHENTICATED)
def show_preferences(who: Who, using: Using) -> PreferencesOut:
    """Show what mail you do not want."""
    return PreferencesOut(unwanted=sorted(using.notifications.opted_out(who)))


@door.route("PUT", "/preferences", Permission.AUTHENTICATED)
def set_preferences(who: Who, using: Using, body: PreferencesIn) -> PreferencesOut:
    """Say what mail you do not want."""
    chosen = using.notifications.set_opted_out(who, frozenset(body.unwanted))
    return PreferencesOut(unwanted=sorted(chosen))


@door.route("GET", "/templates", Permission.WORK_READ)
def list_templates(who: Who, using: Using) -> list[TemplateOut]:
    """List the words of every event."""
    return [_template(one) for one in using.notifications.templates.all(who)]


@door.route("GET", "/templates/{event}", Permission.WORK_READ)
def show_template(who: Who, using: Using, event: Event) -> TemplateOut:
    """Show the template in force."""
    return _template(using.notifications.templates.show(who, event))


@door.route("GET", "/templates/{event}/versions", Permission.WORK_READ)
def list_versions(who: Who, using: Using, event: Event) -> list[TemplateOut]:
    """List every version; empty texts: the shipped one was put back."""
    return [_template(one) for one in using.notifications.templates.versions(who, event)]


@door.route("GET", "/templates/{event}/values", Permission.WORK_READ)
def show_values(who: Who, using: Using, event: Event) -> dict[str, Any]:
    """Show the values that a template of this event can use, made up."""
    return dict(using.notifications.templates.sample(who, event))


@door.route("POST", "/templates/{event}/preview", Permission.WORK_READ)
def preview_template(who: Who, using: Using, event: Event, body: TemplateIn) -> FilledOut:
    """Fill a draft in with made-up values; nothing is kept."""
    message = using.notifications.templates.preview(who, _draft(event, body))
    return FilledOut.model_validate(message, from_attributes=True)


@door.route("PUT", "/templates/{event}", Permission.WORK_MANAGE)
def put_template(who: Who, using: Using, event: Event, body: TemplatePutIn) -> TemplateOut:
    """Put new words in force; refused if they cannot be filled in."""
    return _template(using.notifications.templates.put(who, _draft(event, body), body.base))


@door.route("DELETE", "/templates/{event}", Permission.WORK_MANAGE)
def reset_template(who: Who, using: Using, event: Event) -> TemplateOut:
    """Put the shipped words back in force; the others stay on record."""
    return _template(using.notifications.templates.reset(who, event))


@door.route("GET", "/{message_id}", Permission.WORK_READ)
def show_message(who: Who, using: Using, message_id: str) -> MessageDetailOut:
    """Show a message as it was, or will be, sent."""
    found = using.notifications.show(who, message_id)
    return MessageDetailOut.model_validate(found, from_attributes=True)


@door.route("POST", "/{message_id}/retry", Permission.WORK_MANAGE)
def retry_message(who: Who, using: Using, message_id: str) -> MessageOut:
    """Send it now, under the same id; also one that was sent before."""
    return _message(using.notifications.retry(who, message_id))


def _draft(event: Event, body: TemplateIn) -> MessageTemplate:
    return MessageTemplate(event, body.subject, body.text, body.html or None)
