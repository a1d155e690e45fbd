"""What the API says of versions, risks, previews and dry runs of policy."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from chancery.api.models import Out
from chancery.domain.errors import CAError
from chancery.domain.policy import PolicyVersion
from chancery.domain.risk import Severity
from chancery.services.dry_run import DryRun, Outcome
from chancery.services.preview import Preview
from chancery.services.profile_diff import Change, differences
from chancery.services.risk import Judged
from chancery.wire import documents

Document = dict[str, Any]


class ChangeOut(Out):
    """One difference, in words; null where it was not there, or is no more."""

    field: str = Field(examples=["san[dns].wildcards"])
    old: str | None
    new: str | None


class RiskOut(Out):
    """One finding of the risk check."""

    id: str = Field(examples=["esc1-requester-names"])
    severity: Severity
    field: str
    about: str = Field(description="The registration authority it concerns, if one.")
    profile: str = Field(description="Which of its profiles, where it is one of several.")
    reason: str
    remedy: str
    acceptable: bool = Field(description="Whether a reason in writing lets this block stand.")
    accepted: str | None = Field(description="That reason, where somebody gave it.")
    accepted_by: str | None


class FaultOut(Out):
    """Why it would be refused."""

    detail: str
    field: str | None
    rule: str | None
    remedy: str | None


class PreviewOut(Out):
    """What a candidate would make.  Nothing was put on record."""

    faults: list[FaultOut]
    risks: list[RiskOut]
    certificate: Document | None = Field(description="A sample, decoded.")
    lint: list[str]
    changes: list[ChangeOut] | None = Field(description="Against what is in force; null: new.")


class TrialOut(Out):
    """One request of the past under the candidate."""

    id: str
    created_at: int
    requester: str
    subject: str
    profile: str
    outcome: Outcome
    changes: list[ChangeOut]
    refusal: FaultOut | None


class DryRunOut(Out):
    """Counts by outcome, and each request, newest first."""

    counts: dict[Outcome, int]
    trials: list[TrialOut]


class VersionOut(Out):
    """One version of a DN profile or a registration authority."""

    name: str
    version: int
    sha256: str
    created_at: int
    created_by: str
    document: Document


def version_out(version: PolicyVersion, kind: type) -> VersionOut:
    document = documents.to_builtin(documents.recall(kind, version.document))
    assert isinstance(document, dict)
    return VersionOut(
        name=version.name,
        version=version.version,
        sha256=version.sha256,
        created_at=version.created_at,
        created_by=version.created_by,
        document=document,
    )


def changes_out(changes: Iterable[Change]) -> list[ChangeOut]:
    return [ChangeOut(field=c.field, old=c.old, new=c.new) for c in changes]


def between(old: object, new: object) -> list[ChangeOut]:
    return changes_out(differences(old, new))


def risks_out(found: Iterable[Judged]) -> list[RiskOut]:
    return [
        RiskOut(
            id=one.risk.id,
            severity=one.risk.severity,
            field=one.risk.field,
            about=one.risk.about,
            profile=one.risk.profile,
            reason=one.risk.reason,
            remedy=one.risk.remedy,
            acceptable=one.risk.acceptable,
            accepted=one.accepted.reason if one.accepted else None,
            accepted_by=one.accepted.accepted_by if one.accepted else None,
        )
        for one in found
    ]


def fault_out(error: CAError) -> FaultOut:
    return FaultOut(detail=str(error), field=error.field, rule=error.rule, remedy=error.remedy)


def preview_out(seen: Preview) -> PreviewOut:
    return PreviewOut(
        faults=[fault_out(fault) for fault in seen.faults],
        risks=risks_out(seen.risks),
        certificate=seen.certificate,
        lint=list(seen.lint),
        changes=None if seen.changes is None else changes_out(seen.changes),
    )


def dry_run_out(run: DryRun) -> DryRunOut:
    return DryRunOut(
        counts={outcome: run.count(outcome) for outcome in Outcome},
        trials=[
            TrialOut(
                id=trial.request.id,
                created_at=trial.request.created_at,
                requester=trial.request.requester,
                subject=trial.request.subject,
                profile=trial.request.profile,
                outcome=trial.outcome,
                changes=changes_out(trial.changes),
                refusal=fault_out(trial.refusal) if trial.refusal else None,
            )
            for trial in run.trials
        ],
    )
