"""Jobs as people see them: which failed, and trying them again."""

from collections.abc import Callable

from chancery.domain.errors import NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.work import Job, JobState
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event


class JobService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(
        self,
        principal: Principal,
        state: JobState | None = None,
        kind: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Newest first; done ones are gone."""
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return session.jobs.find(state, kind, cursor, limit)

    def show(self, principal: Principal, job_id: str) -> Job:
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return _known(session, job_id)

    def retry(self, principal: Principal, job_id: str) -> Job:
        """Have a job that failed, or waits for its next try, done now."""

        def work(session: Session) -> None:
            session.jobs.retry(job_id, self._clock.s())

        return self._change(principal, "job.retried", job_id, work)

    def discard(self, principal: Principal, job_id: str) -> Job:
        """Forget a failed job; what it was to do stays undone."""

        def work(session: Session) -> None:
            session.jobs.discard(job_id)

        return self._change(principal, "job.discarded", job_id, work)

    def _change(
        self, principal: Principal, action: str, job_id: str, work: Callable[[Session], None]
    ) -> Job:
        demand(principal, Permission.WORK_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> Job:
            job = _known(session, job_id)
            work(session)
            session.audit.append([event(principal, action, job_id, kind=job.kind)], now)
            return session.jobs.get(job_id) or job

        return self._store.write(unit)


def _known(session: Session, job_id: str) -> Job:
    job = session.jobs.get(job_id)
    if job is None:
        raise NotFound(
            f"there is no job {job_id!r}",
            field="id",
            rule="job.known",
            remedy="jobs that are done leave the list: it may have succeeded",
        )
    return job
