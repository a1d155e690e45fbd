"""Leased jobs: each is taken by one holder at a time, and comes back if that one dies."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select

from chancery.adapters.storage import schema_work
from chancery.adapters.storage.link import Link, insert_sql
from chancery.domain.errors import NotFound, WrongState
from chancery.domain.work import Job, JobState

_J: Final = schema_work.job
_COLUMNS: Final = "id, kind, payload, due_at, attempts, created_at, leased_by, error, failed_at"
# PostgreSQL: whoever else asks passes the locked rows by.  SQLite has one writer anyway.
_CLAIM: Final = (
    "UPDATE job SET leased_by = CAST(? AS TEXT) || '/' || id, due_at = ?,"
    " attempts = attempts + 1 WHERE id IN (SELECT id FROM job WHERE due_at <= ?"
    " AND kind IN ({kinds}) ORDER BY due_at, id LIMIT ? {skip}) RETURNING {columns}"
)
_COUNTS: Final = (
    "SELECT kind, CASE WHEN failed_at IS NOT NULL THEN 'failed'"
    " WHEN leased_by IS NOT NULL THEN 'running' ELSE 'waiting' END, count(*)"
    " FROM job GROUP BY 1, 2"
)
_STATES: Final = {
    JobState.FAILED: _J.c.failed_at.is_not(None),
    JobState.RUNNING: and_(_J.c.failed_at.is_(None), _J.c.leased_by.is_not(None)),
    JobState.WAITING: and_(_J.c.failed_at.is_(None), _J.c.leased_by.is_(None)),
}


class SqlJobs:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, jobs: Sequence[Job]) -> None:
        self._link.many(
            insert_sql(_J),
            [
                (
                    j.id, j.kind, j.payload, j.due_at, j.attempts, j.created_at, j.leased_by,
                    j.error, j.failed_at,
                )
                for j in jobs
            ],
        )  # fmt: skip

    def waits(self, kinds: Sequence[str], now: int) -> bool:
        statement = select(_J.c.id).where(_J.c.due_at <= now, _J.c.kind.in_(kinds)).limit(1)
        return self._link.first(statement) is not None

    def claim(
        self, kinds: Sequence[str], holder: str, now: int, lease_s: int, limit: int
    ) -> list[Job]:
        if not kinds or limit < 1:
            return []
        sql = _CLAIM.format(
            columns=_COLUMNS,
            kinds=", ".join("?" * len(kinds)),
            skip="FOR UPDATE SKIP LOCKED" if self._link.postgres else "",
        )
        rows = self._link.driver(sql, (holder, now + lease_s, now, *kinds, limit)).fetchall()
        return sorted((_job(row) for row in rows), key=lambda job: job.id)

    def reclaim(self, prefix: str, now: int) -> int:
        sql = "UPDATE job SET due_at = ? WHERE substr(leased_by, 1, ?) = ?"
        return self._link.driver(sql, (now, len(prefix), prefix)).rowcount

    def extend(self, holders: Sequence[str], until: int) -> list[str]:
        sql = "UPDATE job SET due_at = ? WHERE id = ? AND leased_by = ?"
        kept = []
        for holder in holders:
            job_id = holder.rpartition("/")[2]
            if self._link.driver(sql, (until, job_id, holder)).rowcount:
                kept.append(holder)
        return kept

    def held(self, job_id: str, holder: str) -> bool:
        lock = " FOR UPDATE" if self._link.postgres else ""
        row = self._link.driver(
            f"SELECT 1 FROM job WHERE id = ? AND leased_by = ?{lock}",  # noqa: S608 - constants
            (job_id, holder),
        ).first()
        return row is not None

    def finish(self, job_id: str, holder: str) -> bool:
        sql = "DELETE FROM job WHERE id = ? AND leased_by = ?"
        return bool(self._link.driver(sql, (job_id, holder)).rowcount)

    def release(
        self, job_id: str, holder: str, due_at: int, *, attempts: int, error: str | None
    ) -> bool:
        sql = (
            "UPDATE job SET leased_by = NULL, due_at = ?, attempts = ?, error = ?"
            " WHERE id = ? AND leased_by = ?"
        )
        return bool(self._link.driver(sql, (due_at, attempts, error, job_id, holder)).rowcount)

    def give_up(self, job_id: str, holder: str, error: str, now: int) -> bool:
        sql = (
            "UPDATE job SET leased_by = NULL, due_at = NULL, error = ?, failed_at = ?"
            " WHERE id = ? AND leased_by = ?"
        )
        return bool(self._link.driver(sql, (error, now, job_id, holder)).rowcount)

    def retry(self, job_id: str, now: int) -> None:
        sql = (
            "UPDATE job SET due_at = ?, attempts = 0, failed_at = NULL"
            " WHERE id = ? AND leased_by IS NULL"
        )
        if not self._link.driver(sql, (now, job_id)).rowcount:
            raise self._wrong(job_id)

    def drop(self, job_id: str) -> None:
        self._link.driver("DELETE FROM job WHERE id = ? AND leased_by IS NULL", (job_id,))

    def discard(self, job_id: str) -> None:
        sql = "DELETE FROM job WHERE id = ? AND failed_at IS NOT NULL"
        if not self._link.driver(sql, (job_id,)).rowcount:
            raise self._wrong(job_id)

    def get(self, job_id: str) -> Job | None:
        row = self._link.first(_select().where(_J.c.id == job_id))
        return _job(row) if row is not None else None

    def find(
        self, state: JobState | None, kind: str | None, cursor: str | None, limit: int
    ) -> list[Job]:
        conditions: list[ColumnElement[bool]] = []
        if state is not None:
            conditions.append(_STATES[state])
        if kind is not None:
            conditions.append(_J.c.kind == kind)
        if cursor is not None:
            conditions.append(_J.c.id < cursor)
        statement = _select().where(*conditions).order_by(_J.c.id.desc()).limit(limit)
        return [_job(row) for row in self._link.rows(statement)]

    def counts(self) -> Mapping[tuple[str, JobState], int]:
        rows = self._link.driver(_COUNTS).fetchall()
        return {(kind, JobState(state)): count for kind, state, count in rows}

    def _wrong(self, job_id: str) -> Exception:
        job = self.get(job_id)
        if job is None:
            return NotFound(
                f"there is no job {job_id!r}",
                field="id",
                rule="job.known",
                remedy="jobs that are done leave the list: it may have succeeded",
            )
        return WrongState(
            f"the job is {job.state.value}",
            field="id",
            rule="job.state",
            remedy="wait until it has ended",
        )


def _select() -> Any:
    return select(*(_J.c[name] for name in _COLUMNS.split(", ")))


def _job(row: Any) -> Job:
    return Job(*row)
