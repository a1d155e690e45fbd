"""Long pieces of work: many certificates revoked, many requests decided."""

from typing import Annotated, Any

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Name, Out, PageOut, Text
from chancery.api.paging import page, paged
from chancery.api.routes.certificates import CertificateOut, certificate_out
from chancery.api.routing import Door, Who
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.operation import Item, Operation, OperationKind, OperationState
from chancery.ports import CertificateFilter
from chancery.services.operations import Seen

door = Door("/operations", "operations")

Instant = Annotated[int, Field(ge=0, le=253_402_300_799)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class FilterIn(In):
    """Conditions as for listing certificates; every one given must hold, and one must be given."""

    authority: Name | None = None
    serial: Text | None = None
    subject: Text | None = None
    name: Text | None = None
    sha256: Text | None = None
    key_sha256: Text | None = None
    profile: Name | None = None
    requester: Name | None = None
    request_id: Name | None = None
    status: Annotated[CertificateStatus, Field(strict=False)] | None = None
    expires_after: Instant | None = None
    expires_before: Instant | None = None

    def filter(self) -> CertificateFilter:
        return CertificateFilter(**self.model_dump(exclude_none=True))


class PreviewIn(In):
    filter: FilterIn


class PartOut(Out):
    authority: str
    profile: str
    count: int


class PreviewOut(Out):
    """What would be revoked.  `as_of`, `count` and `sha256` go into the order."""

    as_of: int = Field(description="Unix milliseconds: later certificates are not meant.")
    count: int
    sha256: str = Field(description="Binds exactly these certificates.")
    parts: list[PartOut]
    first: list[CertificateOut] = Field(description="Some of them.")


class RevokeManyIn(In):
    """Exactly what a preview showed: if anything else is meant by now, it is refused."""

    filter: FilterIn
    reason: str = Field(description="A CRLReason by name; not certificateHold.")
    as_of: int
    count: int
    sha256: Sha256
    comment: Text = ""
    invalidity_date: Instant | None = None


class DecisionIn(In):
    id: Name
    content_sha256: Sha256 = Field(description="What you saw: bound like a single decision.")


class DecideIn(In):
    requests: Annotated[list[DecisionIn], Field(min_length=1, max_length=1000)]
    approve: bool
    reason: Text = Field(default="", description="Needed for a denial.")


class OperationOut(Out):
    """An operation; ended when `state` is done, cancelled or failed."""

    id: str
    kind: OperationKind
    state: OperationState
    started_by: str
    parameters: dict[str, Any]
    total: int
    done: int
    skipped: int = Field(description="In the wanted state already when its turn came.")
    failed: int
    failure: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    cancelled_by: str | None


class FailureOut(Out):
    id: str
    error: str


def _out(operation: Operation) -> OperationOut:
    return OperationOut.model_validate(operation, from_attributes=True)


@door.route("GET", "", Permission.AUTHENTICATED)
def list_operations(
    who: Who,
    using: Using,
    state: OperationState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[OperationOut]:
    """List operations, newest first: all with request.read-all, else one's own."""
    asked = page(cursor, limit)
    found = using.operations.find(who, state, asked.cursor, asked.limit)
    return paged(found, limit, lambda one: one.id, _out)


@door.route(
    "POST", "/revoke/preview", Permission.CERTIFICATE_REVOKE, description="Changes nothing."
)
def preview_revocation(who: Who, using: Using, body: PreviewIn) -> PreviewOut:
    """Show what a filter means now: what would be revoked."""
    found = using.operations.preview(who, body.filter.filter())
    return PreviewOut(
        as_of=found.seen.as_of,
        count=found.seen.count,
        sha256=found.seen.sha256,
        parts=[PartOut(authority=a, profile=p, count=n) for a, p, n in found.parts],
        first=[certificate_out(record) for record in found.first],
    )


@door.route("POST", "/revoke", Permission.CERTIFICATE_REVOKE, status=202)
def revoke_many(who: Who, using: Using, body: RevokeManyIn) -> OperationOut:
    """Begin to revoke what a preview showed; the jobs process does it."""
    try:
        reason = RevocationReason[body.reason]
    except KeyError:
        raise BadRequest(
            f"no revocation reason {body.reason[:40]!r}",
            field="reason",
            rule="reason.known",
            remedy="one of: " + ", ".join(RevocationReason.__members__),
        ) from None
    return _out(
        using.operations.revoke(
            who,
            body.filter.filter(),
            reason,
            Seen(body.as_of, body.count, body.sha256),
            comment=body.comment,
            invalidity_date=body.invalidity_date,
        )
    )


@door.route("POST", "/decide", Permission.REQUEST_DECIDE, status=202)
def decide_many(who: Who, using: Using, body: DecideIn) -> OperationOut:
    """Begin to approve or deny many requests, each bound to the content that was seen."""
    pairs = [(one.id, one.content_sha256) for one in body.requests]
    return _out(using.operations.decide(who, pairs, approve=body.approve, reason=body.reason))


@door.route("GET", "/{operation_id}", Permission.AUTHENTICATED)
def show_operation(who: Who, using: Using, operation_id: str) -> OperationOut:
    """Show how far an operation is."""
    return _out(using.operations.show(who, operation_id))


@door.route("GET", "/{operation_id}/failures", Permission.AUTHENTICATED)
def list_failures(
    who: Who, using: Using, operation_id: str, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[FailureOut]:
    """List what of it failed, and why."""
    asked = page(cursor, limit)
    found = using.operations.failures(who, operation_id, asked.cursor, asked.limit)
    return paged(found, limit, lambda item: item.id, _failure)


@door.route("POST", "/{operation_id}/cancel", Permission.AUTHENTICATED)
def cancel_operation(who: Who, using: Using, operation_id: str) -> OperationOut:
    """Stop it: what was done stays done, nothing more is begun."""
    return _out(using.operations.cancel(who, operation_id))


def _failure(item: Item) -> FailureOut:
    return FailureOut(id=item.id, error=item.error or "")
