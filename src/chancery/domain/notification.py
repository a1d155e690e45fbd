"""What people and machines are told of, through which channel, in which words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Event(StrEnum):
    """What there is to tell.  Names stand in templates, webhook bodies and filters."""

    REQUEST_WAITING = "request.waiting"
    REQUEST_APPROVED = "request.approved"
    REQUEST_DENIED = "request.denied"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_EXPIRING = "certificate.expiring"
    REVOCATION_REQUESTED = "revocation.requested"
    CRL_LATE = "crl.late"
    CA_EXPIRING = "ca.expiring"
    JOB_FAILED = "job.failed"
    BACKUP_CONCERN = "backup.concern"
    KEY_ROTATION_DUE = "key.rotation-due"
    KEY_EXPIRING = "key.expiring"
    TEST = "test"


RA_EVENTS: Final = frozenset(
    {
        Event.REQUEST_WAITING,
        Event.REQUEST_APPROVED,
        Event.REQUEST_DENIED,
        Event.CERTIFICATE_ISSUED,
        Event.CERTIFICATE_EXPIRING,
        Event.REVOCATION_REQUESTED,
    }
)
"""Those that belong to a registration authority, which says which of them it wants."""

KEY_EVENTS: Final = frozenset({Event.KEY_ROTATION_DUE, Event.KEY_EXPIRING})
"""Those that whoever manages the key is told of."""

RA_DEFAULT: Final = RA_EVENTS - {Event.REQUEST_APPROVED}
"""What an RA that says nothing wants: an approval shows by the certificate that follows."""

EXPIRY_DAYS: Final = (30, 14, 7, 1)
CA_EXPIRY_DAYS: Final = (90, 30, 7)

MAIL: Final = "mail"
"""The channel of mail; a webhook's is ``webhook:NAME``."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that happened.  *about* names the object; *data* is plain JSON.

    *mark*, where given, lets it happen once: another with the same mark is dropped.
    """

    id: str
    event: Event
    ra: str | None
    about: str
    data: Mapping[str, Any]
    created_at: int
    mark: str | None = None


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient, as it is sent.

    *body* holds ``text`` and ``html`` for mail; for a webhook it is the very
    document.  *state*, *attempts*, *due_at* and *error* are its job's.
    """

    id: str
    notification_id: str
    event: Event
    about: str
    channel: str
    recipient: str
    subject: str
    body: Mapping[str, Any]
    created_at: int
    sent_at: int | None = None
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    due_at: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """The words of one event.  *html* None: it is made from the text.

    *version* 0 is the one that ships with the release.
    """

    event: Event
    subject: str
    text: str
    html: str | None = None
    version: int = 0
    created_at: int = 0
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A template filled in."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a machine wants to be told.  No *events* or no *ras*: all of them."""

    name: str
    url: str
    events: frozenset[Event] = frozenset()
    ras: frozenset[str] = field(default_factory=frozenset)

    def wants(self, event: Event, ra: str | None) -> bool:
        """Whether this is for it; what no RA has to do with passes a filter of RAs."""
        if self.events and event not in self.events:
            return False
        return not self.ras or ra is None or ra in self.ras

    @property
    def channel(self) -> str:
        return f"webhook:{self.name}"
