"""``chancery operation``: long pieces of work, followed and cancelled."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.arguments import All, Limit
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import OK, PARTIAL, note
from chancery.domain.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from rich.progress import Progress

app = group("operation")

_COLUMNS: Final = (
    *("id", "kind", "state", "started_by", "total", "done", "skipped", "failed", "created_at"),
)
_EVERY_S: Final = 0.5
_MOST: Final = 1000  # requests of one operation
Id = Annotated[str, Parameter(help="Id of the operation.")]
State = Literal["waiting", "running", "done", "cancelled", "failed"]
NoWait = Annotated[
    bool, Parameter(name="--no-wait", help="Do not wait for its end: `operation watch` does.")
]
Ids = Annotated[tuple[str, ...], Parameter(help="Ids of requests.")]
OfRa = Annotated[
    str | None, Parameter(name="--ra", help="Instead of ids: all that wait at this RA now.")
]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), help="Do not ask.")]


@app.command(name="list")
def list_(
    *,
    state: Annotated[State | None, Parameter(help="Only this state.")] = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List operations, newest first: all of them for staff, else your own."""
    with api.open() as server:
        items = server.items("operations", limit=None if all_ else limit + 1, state=state)
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def show(operation: Id, /, *, api: Connection = DEFAULT) -> None:
    """Show how far an operation is."""
    with api.open() as server:
        found = server.get("operations", operation)
    output.show(found, as_json=api.as_json)


@app.command
def failures(operation: Id, /, *, api: Connection = DEFAULT) -> None:
    """List what of it failed, and why."""
    with api.open() as server:
        items = server.items("operations", operation, "failures", limit=None)
        output.listing(items, ("id", "error"), as_json=api.as_json)


@app.command
def watch(operation: Id, /, *, api: Connection = DEFAULT) -> int:
    """Wait for its end.  Exits 3 if some of it failed."""
    with api.open() as server:
        return follow(server, server.get("operations", operation), api)


@app.command
def cancel(operation: Id, /, *, api: Connection = DEFAULT) -> None:
    """Stop it: what was done stays done, nothing more is begun."""
    with api.open() as server:
        answer = server.post("operations", operation, "cancel")
    output.show(answer, as_json=api.as_json)


@app.command
def approve(
    requests: Ids = (),
    /,
    *,
    ra: OfRa = None,
    yes: Yes = False,
    no_wait: NoWait = False,
    api: Connection = DEFAULT,
) -> int:
    """Approve many requests, each exactly as it is when you are asked."""
    return _decide(requests, ra, {"approve": True}, yes=yes, no_wait=no_wait, api=api)


@app.command
def deny(
    requests: Ids = (),
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; their requesters read it.")],
    ra: OfRa = None,
    yes: Yes = False,
    no_wait: NoWait = False,
    api: Connection = DEFAULT,
) -> int:
    """Deny many requests, each exactly as it is when you are asked."""
    body: Json = {"approve": False, "reason": reason}
    return _decide(requests, ra, body, yes=yes, no_wait=no_wait, api=api)


def _decide(
    ids: tuple[str, ...], ra: str | None, body: Json, *, yes: bool, no_wait: bool, api: Connection
) -> int:
    with api.open() as server:
        found = _requests(server, ids, ra)
        verb = "approve" if body["approve"] else "deny"
        if not yes:
            for one in found:
                note(f"{one['id']}  {one['profile']}  {one['requester']}  {one['subject']}")
        confirm(f"{verb} {len(found)} requests", yes=yes)
        body["requests"] = [
            {"id": one["id"], "content_sha256": one["content_sha256"]} for one in found
        ]
        begun = server.post("operations", "decide", body=body)
        return told(server, begun, api, no_wait=no_wait)


def _requests(server: Client, ids: tuple[str, ...], ra: str | None) -> list[Json]:
    if bool(ids) == (ra is not None):
        raise BadRequest("name requests, or an RA with --ra", field="requests")
    if ra is None:
        return [server.get("requests", one) for one in ids]
    found = list(server.items("requests", limit=_MOST, state="pending", ra=ra))
    if not found:
        raise BadRequest(f"nothing waits at {ra}", field="--ra")
    return found


def confirm(what: str, *, yes: bool) -> None:
    """Ask on the terminal; where there is none, ``--yes`` must have been said."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadRequest(
            f"{what}? nobody can be asked here", field="--yes", remedy="say --yes to go on"
        )
    sys.stderr.write(f"{what}? Type yes to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise BadRequest("not confirmed: nothing was done", field="--yes")


def told(server: Client, begun: Json, api: Connection, *, no_wait: bool) -> int:
    """Show an operation that was begun: at once, or when it has ended."""
    if no_wait:
        output.show(begun, as_json=api.as_json)
        return OK
    return follow(server, begun, api)


def follow(server: Client, operation: Json, api: Connection) -> int:
    """Wait for its end, with a bar on a terminal; print it, and return the exit code."""
    with _progress() as progress:
        task = progress.add_task(operation["kind"], total=operation["total"])
        while True:
            handled = operation["done"] + operation["skipped"] + operation["failed"]
            progress.update(task, completed=handled)
            if operation["state"] in {"done", "cancelled", "failed"}:
                break
            time.sleep(_EVERY_S)
            operation = server.get("operations", operation["id"])
    output.show(operation, as_json=api.as_json)
    if operation["state"] == "failed":
        raise Unavailable(
            f"the operation failed: {operation['failure']}",
            field="operation",
            remedy=f"`chancery job retry {operation['id']}` goes on where it stands",
        )
    unfinished = operation["failed"] or operation["state"] == "cancelled"
    return PARTIAL if unfinished else OK


def _progress() -> "Progress":
    from rich.console import Console  # noqa: PLC0415 - only where something is awaited
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
