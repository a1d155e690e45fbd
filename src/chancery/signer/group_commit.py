"""Group commit: callers that come together share one write, a caller alone does not wait."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from chancery.domain.errors import Unavailable

T = TypeVar("T")


class _Ticket(Generic[T]):
    """What one caller brought, and how it fared."""

    __slots__ = ("done", "error", "items")

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.done = False
        self.error: Unavailable | None = None


class GroupCommit(Generic[T]):
    """Runs *commit* for one caller at a time, with everything that came while it last ran.

    The caller that finds nobody writing writes for all who wait; *commit*
    makes all its items durable, or none and raises Unavailable.
    """

    def __init__(self, commit: Callable[[Sequence[T]], None]) -> None:
        self._commit = commit
        self._turn = threading.Condition()
        self._waiting: list[_Ticket[T]] = []
        self._writing = False

    def submit(self, items: Sequence[T]) -> None:
        """Return once *items* are durable.  Raises Unavailable if they are not."""
        ticket = _Ticket(items)
        with self._turn:
            self._waiting.append(ticket)
            while self._writing and not ticket.done:
                self._turn.wait()
            if not ticket.done:
                self._writing = True
                batch, self._waiting = self._waiting, []
        if not ticket.done:
            self._lead(batch)
        if ticket.error:
            raise ticket.error

    def _lead(self, batch: Sequence[_Ticket[T]]) -> None:
        # What is not known to be durable counts as lost, also if commit fails in an unplanned way.
        error: Unavailable | None = Unavailable("the signer failed inside", rule="signer.internal")
        try:
            self._commit([item for ticket in batch for item in ticket.items])
            error = None
        except Unavailable as unavailable:
            error = unavailable
        finally:
            with self._turn:
                self._writing = False
                for ticket in batch:
                    ticket.done, ticket.error = True, error
                self._turn.notify_all()

    def settle(self) -> None:
        """Wait until nobody writes."""
        with self._turn:
            self._turn.wait_for(lambda: not self._writing)
