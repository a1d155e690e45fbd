"""Jobs that wait, run or failed; figures for home pages and charts."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, Limit, Out, PageOut
from chancery.api.paging import page, paged
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.work import Job, JobState
from chancery.services.figures import Count

jobs = Door("/jobs", "jobs")
figures = Door("/figures", "figures")


class JobOut(Out):
    """A job; done ones leave the list."""

    id: str
    kind: str
    state: JobState
    payload: str
    attempts: int
    due_at: int | None = Field(description="When it is taken; of one that runs, its lease's end.")
    error: str | None
    created_at: int
    failed_at: int | None


class CountOut(Out):
    """A number and the list it counts: `where` are the parameters of that list."""

    name: str
    value: int
    more: bool = Field(description="There are more than that.")
    list: str
    where: dict[str, str]


class HomeOut(Out):
    waiting: list[CountOut] = Field(description="For each RA whose requests you decide.")
    own: CountOut = Field(description="Your own undecided requests.")
    counts: list[CountOut]


class DayOut(Out):
    date: str
    issued: int
    revoked: int


def _job(job: Job) -> JobOut:
    return JobOut.model_validate(job, from_attributes=True)


@jobs.route("GET", "", Permission.WORK_READ)
def list_jobs(
    who: Who,
    using: Using,
    state: JobState | None = None,
    kind: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[JobOut]:
    """List jobs, newest first."""
    asked = page(cursor, limit)
    found = using.jobs.find(who, state, kind, asked.cursor, asked.limit)
    return paged(found, limit, lambda one: one.id, _job)


@jobs.route("GET", "/{job_id}", Permission.WORK_READ)
def show_job(who: Who, using: Using, job_id: str) -> JobOut:
    """Show one job."""
    return _job(using.jobs.show(who, job_id))


@jobs.route("POST", "/{job_id}/retry", Permission.WORK_MANAGE)
def retry_job(who: Who, using: Using, job_id: str) -> JobOut:
    """Have a job that failed, or waits for its next try, done now."""
    return _job(using.jobs.retry(who, job_id))


@jobs.route("DELETE", "/{job_id}", Permission.WORK_MANAGE, status=204)
def discard_job(who: Who, using: Using, job_id: str) -> None:
    """Forget a failed job; what it was to do stays undone."""
    using.jobs.discard(who, job_id)


def _count(count: Count) -> CountOut:
    return CountOut.model_validate(count, from_attributes=True)


@figures.route("GET", "", Permission.AUTHENTICATED)
def show_figures(who: Who, using: Using) -> HomeOut:
    """Show what there is to do and how much there is; counts stop at 1000."""
    home = using.figures.home(who)
    return HomeOut(
        waiting=[_count(one) for one in home.waiting],
        own=_count(home.own),
        counts=[_count(one) for one in home.counts],
    )


@figures.route("GET", "/daily", Permission.CERTIFICATE_READ)
def show_days(
    who: Who,
    using: Using,
    days: Annotated[int, Query(ge=1, le=730)] = 30,
    authority: str | None = None,
    profile: str | None = None,
) -> list[DayOut]:
    """Show what was issued and revoked each day (UTC), today last."""
    found = using.figures.series(who, days, authority, profile)
    return [DayOut.model_validate(one, from_attributes=True) for one in found]
