"""``chancery job``: work in the background that waits, runs or failed."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.arguments import All, Limit
from chancery.cli.connection import DEFAULT, Connection

app = group("job")

_COLUMNS: Final = (*("id", "kind", "state", "payload", "attempts", "due_at", "error"),)
Id = Annotated[str, Parameter(help="Id of the job.")]


@app.command(name="list")
def list_(
    *,
    state: Annotated[
        Literal["waiting", "running", "failed"] | None, Parameter(help="Only this state.")
    ] = None,
    kind: Annotated[str | None, Parameter(help="Only this kind: mail, webhook, operation.")] = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List jobs, newest first; done ones leave the list."""
    with api.open() as server:
        items = server.items("jobs", limit=None if all_ else limit + 1, state=state, kind=kind)
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def show(job: Id, /, *, api: Connection = DEFAULT) -> None:
    """Show one job."""
    with api.open() as server:
        found = server.get("jobs", job)
    output.show(found, as_json=api.as_json)


@app.command
def retry(job: Id, /, *, api: Connection = DEFAULT) -> None:
    """Have a job that failed, or waits for its next try, done now."""
    with api.open() as server:
        answer = server.post("jobs", job, "retry")
    output.show(answer, as_json=api.as_json)


@app.command
def discard(job: Id, /, *, api: Connection = DEFAULT) -> None:
    """Forget a failed job; what it was to do stays undone."""
    with api.open() as server:
        server.delete("jobs", job)
    output.done(job, "discarded", as_json=api.as_json)
