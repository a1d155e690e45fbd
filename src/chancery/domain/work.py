"""Work that goes on in the background: jobs, who holds them, how they are tried again."""

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Derived from a job's row: who holds it, and whether it was given up."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"  # given up; only a person tries it again


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.  Done jobs leave the table.

    *due_at* is when somebody may take it: for one that runs, the end of its
    lease; None where it was given up.  *leased_by* is unique to one claim, so
    a holder that lost its lease cannot finish what another has begun.
    """

    id: str
    kind: str
    payload: str
    due_at: int | None
    attempts: int
    created_at: int
    leased_by: str | None = None
    error: str | None = None
    failed_at: int | None = None

    @property
    def state(self) -> JobState:
        if self.failed_at is not None:
            return JobState.FAILED
        return JobState.WAITING if self.leased_by is None else JobState.RUNNING


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long one kind of job may be held, and how patiently it is tried.

    The n-th failure waits ``first_s * 2**(n - 1)`` seconds, at most *longest_s*.
    """

    lease_s: int = 60
    attempts: int = 10
    first_s: int = 10
    longest_s: int = 3600

    def wait_s(self, attempts: int) -> int:
        """Seconds to wait after the *attempts*-th try failed."""
        doublings = min(attempts - 1, 32)
        return int(min(self.longest_s, self.first_s * 2**doublings))
