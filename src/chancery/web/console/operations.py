"""Operations: many certificates or requests at once, followed while they run; and failed jobs."""

from enum import StrEnum
from typing import Final, TypeVar

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.operation import Operation, OperationKind, OperationState
from chancery.domain.work import JobState
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/operations",
    section="operations",
    nav=Nav(
        "Operations",
        "stack-2",
        36,
        (Permission.REQUEST_READ_ALL, Permission.CERTIFICATE_REVOKE, Permission.REQUEST_DECIDE),
    ),
)

PATH: Final = "/console/operations"
_TELLING: Final = 100  # items, from which a speed says something
S = TypeVar("S", bound=StrEnum)
_SIZE: Final = 50
VERBS: Final = {
    OperationKind.REVOKE: ("Revoke", "certificate"),
    OperationKind.APPROVE: ("Approve", "request"),
    OperationKind.DENY: ("Deny", "request"),
}
_FILTERS: Final = {
    "authority": "CA",
    "profile": "Profile",
    "requester": "Requester",
    "subject": "Subject",
    "name": "Name",
    "serial": "Serial number",
    "sha256": "Fingerprint",
    "key_sha256": "Key",
    "request_id": "Request",
    "status": "State",
    "expires_after": "Ends after",
    "expires_before": "Ends before",
}


@pages.get("", Permission.AUTHENTICATED)
def found(visit: Visit) -> Response:
    asked = paging.asked(visit.query, _SIZE)
    state = _state(visit.query.text("state"), OperationState)
    rows = visit.services.operations.find(visit.principal, state, asked.cursor, asked.limit)
    page = paging.paged(PATH, visit.query, rows, key=lambda row: row.id, size=_SIZE)
    return visit.render(
        "console/operations/list.html",
        block="results",
        page=page,
        verbs=VERBS,
        states=[(one.value, one.value.capitalize()) for one in OperationState],
        filtered=state is not None,
    )


@pages.get("/jobs", Permission.WORK_READ)
def jobs(visit: Visit) -> Response:
    asked = paging.asked(visit.query, _SIZE)
    state = _state(visit.query.text("state"), JobState)
    kind = visit.query.text("kind") or None
    rows = visit.services.jobs.find(visit.principal, state, kind, asked.cursor, asked.limit)
    page = paging.paged(f"{PATH}/jobs", visit.query, rows, key=lambda row: row.id, size=_SIZE)
    return visit.render(
        "console/operations/jobs.html",
        block="results",
        page=page,
        states=[(one.value, one.value.capitalize()) for one in JobState],
        kinds=[
            ("mail", "Mail"),
            ("webhook", "Webhooks"),
            ("operation", "Operations"),
            ("backup", "Backups"),
        ],
        filtered=bool(state or kind),
    )


@pages.post("/jobs/{id}/retry", Permission.WORK_MANAGE)
def retry(visit: Visit) -> Response:
    job = visit.services.jobs.retry(visit.principal, visit.path["id"])
    return visit.redirect(f"{PATH}/jobs", f"The {job.kind} is tried again now.")


@pages.post("/jobs/{id}/discard", Permission.WORK_MANAGE)
def discard(visit: Visit) -> Response:
    visit.services.jobs.discard(visit.principal, visit.path["id"])
    return visit.redirect(f"{PATH}/jobs", "Forgotten. What it was to do stays undone.", "info")


@pages.get("/{id}", Permission.AUTHENTICATED)
def one(visit: Visit) -> Response:
    operation = visit.services.operations.show(visit.principal, visit.path["id"])
    failures = (
        visit.services.operations.failures(visit.principal, operation.id, None, _SIZE)
        if operation.failed
        else []
    )
    return visit.render(
        "console/operations/one.html",
        block="progress",
        operation=operation,
        verb=VERBS[operation.kind],
        running=not operation.ended,
        rate=_rate(operation, visit.now),
        failures=failures,
        filters=_filters(operation),
        may_cancel=_may_cancel(visit, operation),
    )


@pages.post("/{id}/cancel", Permission.AUTHENTICATED, form=one)
def cancel(visit: Visit) -> Response:
    visit.services.operations.cancel(visit.principal, visit.path["id"])
    return visit.redirect(
        f"{PATH}/{visit.path['id']}", "Cancelled: what was done stays done.", "info"
    )


def _state(text: str, kind: type[S]) -> S | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise BadRequest(
            f"no state {text[:40]!r}",
            field="state",
            rule="state.known",
            remedy="one of: " + ", ".join(kind),
        ) from None


def _rate(operation: Operation, now: int) -> int:
    """Items a second, so far."""
    if operation.started_at is None or operation.handled < _TELLING:
        return 0
    took = (operation.finished_at or now) - operation.started_at
    return operation.handled // max(1, took)


def _filters(operation: Operation) -> list[tuple[str, str, bool]]:
    """What was asked for, in words: (label, value, whether it is a moment)."""
    given = operation.parameters.get("filter", {})
    return [
        (label, str(given[name]), name.startswith("expires_"))
        for name, label in _FILTERS.items()
        if name in given
    ]


def _may_cancel(visit: Visit, operation: Operation) -> bool:
    if operation.ended:
        return False
    if operation.started_by == visit.principal.name:
        return True
    needed = (
        Permission.CERTIFICATE_REVOKE
        if operation.kind is OperationKind.REVOKE
        else Permission.WORK_MANAGE
    )
    return visit.may(needed)
