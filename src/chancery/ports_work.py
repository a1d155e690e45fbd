"""What work in the background needs from outside: its part of the record, and ways to tell people.

Times are Unix seconds.  The same rules as for ``chancery.ports``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chancery.domain.notification import (
    Delivery,
    DeliveryState,
    Event,
    Message,
    MessageTemplate,
    Notification,
)
from chancery.domain.operation import Item, Operation, OperationState
from chancery.domain.work import Job, JobState


class Jobs(Protocol):
    """The table of leased jobs."""

    def add(self, jobs: Sequence[Job]) -> None: ...
    def waits(self, kinds: Sequence[str], now: int) -> bool:
        """Whether ``claim`` would find something; only reads."""
        ...

    def claim(
        self, kinds: Sequence[str], holder: str, now: int, lease_s: int, limit: int
    ) -> list[Job]:
        """Take what is due, longest due first, and count the attempt.

        Of two that ask at once each gets different ones.  A job whose lease
        has run out is due again.
        """
        ...

    def reclaim(self, prefix: str, now: int) -> int:
        """Make due what holders of that prefix have: they are known to be dead.  How many."""
        ...

    def extend(self, holders: Sequence[str], until: int) -> list[str]:
        """Hold on; the holders that still have their job."""
        ...

    def held(self, job_id: str, holder: str) -> bool:
        """Whether it is still that holder's: nobody else can take it in this transaction."""
        ...

    def finish(self, job_id: str, holder: str) -> bool:
        """Remove a job that is done; False if it is no longer that holder's."""
        ...

    def release(
        self, job_id: str, holder: str, due_at: int, *, attempts: int, error: str | None
    ) -> bool:
        """Give it back for later."""
        ...

    def give_up(self, job_id: str, holder: str, error: str, now: int) -> bool: ...
    def retry(self, job_id: str, now: int) -> None:
        """Make a job that failed, or waits, due now; WrongState while it runs."""
        ...

    def drop(self, job_id: str) -> None:
        """Forget a job that nobody has taken; one that is gone, or under way, stays as it is."""
        ...

    def discard(self, job_id: str) -> None:
        """Forget a failed job; WrongState if it has not failed."""
        ...

    def get(self, job_id: str) -> Job | None: ...
    def find(
        self, state: JobState | None, kind: str | None, cursor: str | None, limit: int
    ) -> list[Job]:
        """Newest first."""
        ...

    def counts(self) -> Mapping[tuple[str, JobState], int]:
        """How many of each kind are in each state."""
        ...


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    state: DeliveryState | None = None
    channel: str | None = None
    recipient: str | None = None
    event: Event | None = None
    about: str | None = None


class Notifications(Protocol):
    """The outbox, its templates, and who does not want to hear of what."""

    def add(self, notifications: Sequence[Notification]) -> None:
        """Those whose mark is on record already are dropped."""
        ...

    def marked(self, marks: Sequence[str]) -> frozenset[str]:
        """Those of *marks* that are on record."""
        ...

    def fresh(self, limit: int) -> list[Notification]:
        """The oldest whose recipients have not been found yet."""
        ...

    def expanded(self, notification_id: str, now: int) -> bool:
        """Its recipients are found; False if another process found them first."""
        ...

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None: ...
    def sent(self, delivery_id: str, now: int | None) -> None:
        """It went out; None: it is to go out once more."""
        ...

    def delivery(self, delivery_id: str) -> Delivery | None: ...
    def deliveries(self, where: DeliveryFilter, cursor: str | None, limit: int) -> list[Delivery]:
        """Newest first."""
        ...

    def depth(self) -> Mapping[str, int]:
        """Deliveries not sent yet, by channel; failed ones included."""
        ...

    def purge(self, sent_before: int, limit: int) -> int:
        """Forget notifications all of whose deliveries were sent before that; how many."""
        ...

    def template(self, event: Event) -> MessageTemplate | None:
        """The newest version; None, or empty texts: the shipped one is in force."""
        ...

    def template_versions(self, event: Event) -> list[MessageTemplate]:
        """Oldest first; empty texts: the shipped one was put back."""
        ...

    def add_template(self, template: MessageTemplate) -> None:
        """AlreadyExists if somebody else made that version meanwhile."""
        ...

    def opted_out(self, user: str) -> frozenset[str]: ...
    def set_opted_out(self, user: str, events: frozenset[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class OperationFilter:
    state: OperationState | None = None
    started_by: str | None = None


class Operations(Protocol):
    def add(self, operation: Operation) -> None: ...
    def add_items(self, operation_id: str, items: Sequence[Item]) -> None: ...
    def get(self, operation_id: str) -> Operation | None: ...
    def find(self, where: OperationFilter, cursor: str | None, limit: int) -> list[Operation]:
        """Newest first."""
        ...

    def update(self, operation: Operation) -> None:
        """Write state, counts, position, times and failure."""
        ...

    def next_items(self, operation_id: str, after: str, limit: int) -> list[Item]:
        """Items to be dealt with, by id."""
        ...

    def dealt_with(self, operation_id: str, until: str, failures: Sequence[Item]) -> None:
        """Forget items up to *until*, but keep *failures* with their error."""
        ...

    def failures(self, operation_id: str, cursor: str | None, limit: int) -> list[Item]:
        """Items that failed, by id."""
        ...


@dataclass(frozen=True, slots=True)
class DailyFigure:
    """*day* counts from 1970-01-01 (UTC)."""

    day: int
    authority: str
    profile: str
    issued: int
    revoked: int


class Figures(Protocol):
    def add(self, figures: Sequence[DailyFigure]) -> None:
        """Add to what is there."""
        ...

    def days(self, since: int, authority: str | None, profile: str | None) -> list[DailyFigure]:
        """Per day, from day *since* on; authority and profile are "" where they are not asked."""
        ...

    def totals(self) -> list[DailyFigure]:
        """Per authority and profile, over all days (*day* is 0)."""
        ...

    def position(self, cursor: str) -> int | None: ...
    def advance(self, cursor: str, expected: int | None, position: int) -> None:
        """Compare and set; Conflict if another process was first."""
        ...


class Mailer(Protocol):
    """A way to send mail."""

    def send(self, message_id: str, recipient: str, message: Message, sent_at: int) -> None:
        """Hand it over.  Unavailable: try again later; BadRequest: it will never be taken."""
        ...

    def check(self) -> None:
        """Connect and sign in, and send nothing; the same errors."""
        ...


class Hooks(Protocol):
    """A way to tell machines."""

    def send(self, name: str, delivery_id: str, body: bytes, now: int) -> None:
        """POST it, signed.  Unavailable: try again later; BadRequest: it will never be taken."""
        ...


class Renderer(Protocol):
    """Fills templates in, and lets them do nothing else."""

    def render(self, template: MessageTemplate, values: Mapping[str, Any]) -> Message:
        """BadRequest, with the field ``subject``, ``text`` or ``html``, if it cannot be."""
        ...
