"""What a kind of job consists of, and the lease under which it is done."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from chancery.domain.errors import Conflict
from chancery.domain.work import Job, RetryPolicy
from chancery.ports import Session

Finish = Callable[[Session], None]
"""The last step of a job: it shares the transaction that takes the job off the table."""


class Postponed(Exception):
    """Raised by a handler that gives its job back: nothing failed, and it goes on later."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A job held for a while, prolonged behind the handler's back while it works.

    *stopping* is set when the process is to end; *lost* when somebody else
    may have the job by now.
    """

    job: Job
    holder: str
    stopping: threading.Event
    lost: threading.Event = field(default_factory=threading.Event)

    def demand(self, session: Session) -> None:
        """Raise Conflict unless the job is still ours, until the end of this transaction."""
        if not session.jobs.held(self.job.id, self.holder):
            self.lost.set()
            raise Conflict("another process has taken this job over", rule="job.lease")


class Handler(Protocol):
    """Does one kind of job.  It may run twice, or half: what it does must bear that."""

    @property
    def kind(self) -> str: ...
    @property
    def policy(self) -> RetryPolicy: ...

    def run(self, lease: Lease) -> Finish | None:
        """Do it.

        CAError: it failed, and is tried again as the policy says; a BadRequest
        will not become better and is given up at once.
        """
        ...

    def given_up(self, session: Session, job: Job, error: str, now_ms: int) -> None:
        """It has failed for good; runs in the transaction that says so."""
        ...
