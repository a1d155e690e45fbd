"""Requests and certificates as people look at them before they act, for programs."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Out
from chancery.api.routes.certificates import Issuer
from chancery.api.routes.portal import FindingOut, LineOut
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.services.history import Entry

requests = Door("/requests", "requests")
certificates = Door("/certificates", "certificates")


class QueueOut(Out):
    """What waits at one registration authority."""

    ra: str
    group: str = Field(description="Whose members decide.")
    waiting: int
    more: bool = Field(description="There are more than that.")
    mine: bool = Field(description="One's own group decides.")


class EntryOut(Out):
    """One thing that happened, as the audit log has it."""

    seq: int
    at: int
    action: str
    actor: str
    partner: str
    failed: bool
    why: str


class RefusalOut(Out):
    act: str
    why: str
    rule: str | None


class ReviewOut(Out):
    """What a decider needs to know about a request beside its content."""

    id: str
    state: str
    content_sha256: str
    group: str
    missing: int = Field(description="Approvals that it still needs.")
    asked: dict[str, Any] | None = Field(description="What the CSR says; null: there is none.")
    changes: list[LineOut]
    findings: list[FindingOut]
    refusals: list[RefusalOut] = Field(description="What one may not do now, and why.")
    history: list[EntryOut]


class LoggedOut(Out):
    """The leaf that put it on record, proved to be under a signed checkpoint."""

    seq: int
    leaf_hash: str
    size: int | None = Field(description="Of the checkpoint; null: none covers the leaf yet.")
    root: str | None
    steps: int


class HistoryOut(Out):
    entries: list[EntryOut] = Field(description="Newest first.")
    logged: LoggedOut | None


def _entry(entry: Entry) -> EntryOut:
    return EntryOut.model_validate(entry, from_attributes=True)


@requests.route("GET", "/queues", Permission.REQUEST_READ_ALL)
def list_queues(who: Who, using: Using) -> list[QueueOut]:
    """Count what waits at each registration authority; one's own group's first."""
    return [
        QueueOut.model_validate(queue, from_attributes=True) for queue in using.reviews.queues(who)
    ]


@requests.route("GET", "/{request_id}/review", Permission.AUTHENTICATED)
def review_request(
    who: Who,
    using: Using,
    request_id: str,
    full: Annotated[bool, Query(description="Ask the full linter as well.")] = False,
) -> ReviewOut:
    """Hold what was asked against what would be signed, and say what speaks against it."""
    review = using.reviews.show(who, request_id)
    findings = using.reviews.findings(who, request_id, full=full)
    return ReviewOut(
        id=review.request.id,
        state=review.request.state.value,
        content_sha256=review.request.content_sha256,
        group=review.group,
        missing=review.missing,
        asked=review.asked,
        changes=[
            LineOut(what=one.what, asked=one.asked, becomes=one.becomes, fate=one.fate.value)
            for one in review.lines
        ],
        findings=[FindingOut.model_validate(one, from_attributes=True) for one in findings],
        refusals=[
            RefusalOut(act=act.value, why=str(error), rule=error.rule)
            for act, error in review.refusals.items()
        ],
        history=[_entry(entry) for entry in review.history],
    )


@certificates.route("GET", "/{serial}/history", Permission.CERTIFICATE_READ)
def certificate_history(
    who: Who, using: Using, serial: str, authority: Issuer = None
) -> HistoryOut:
    """Tell what happened to it, from the request on, and where the log holds it."""
    history = using.history.of_certificate(who, serial, authority)
    logged = history.logged
    return HistoryOut(
        entries=[_entry(entry) for entry in history.entries],
        logged=LoggedOut.model_validate(logged, from_attributes=True) if logged else None,
    )
