"""Deciding about several requests at once: each bound to the content that the page showed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest, CAError, NotFound
from chancery.domain.identity import Permission
from chancery.services.portal.check import Severity
from chancery.services.portal.comparison import Fate
from chancery.services.review import Act, Review
from chancery.web.console.content import called
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/requests", section="requests")

MOST: Final = 50
"""Requests on one page: more than that nobody looks at."""
_ACT: Final = "/console/requests/decide"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One request.  *refusal* is why it cannot be approved, *denial* why not even denied."""

    review: Review
    errors: int
    warnings: int
    changed: int
    dropped: int
    refusal: CAError | None
    denial: CAError | None

    @property
    def mark(self) -> str:
        """What a decision about it is bound to."""
        return f"{self.review.request.id}:{self.review.request.content_sha256}"


@pages.get("/decide", Permission.REQUEST_DECIDE)
def look(visit: Visit) -> Response:
    """The requests that were selected, as short as they can be judged."""
    fields = visit.form if visit.method == "POST" else visit.query
    ids = list(dict.fromkeys(one.partition(":")[0] for one in fields.all("id")))
    if not ids and visit.method == "GET":
        return visit.redirect("/console/requests", "Select some requests first.", "info")
    if len(ids) > MOST:
        raise BadRequest(
            f"{len(ids)} requests at once",
            field="id",
            rule="decide.most",
            remedy=f"select at most {MOST}",
        )
    return visit.render(
        "console/requests/decide.html", candidates=_candidates(visit, ids), called=called
    )


@pages.post("/decide", Permission.REQUEST_DECIDE, step_up=True)
def decide(visit: Visit) -> Response:
    """Begin; the page of the operation shows what became of each."""
    form = visit.form
    verdict = form.required("verdict")
    marks = [tuple(one.split(":", 1)) for one in form.all("id") if ":" in one]
    pairs = [(request_id, seen) for request_id, seen in marks]
    if not pairs:
        raise BadRequest(
            "nothing is selected", field="id", rule="decide.none", remedy="select at least one"
        )
    if verdict not in ("approve", "deny"):
        raise BadRequest("approve or deny", field="verdict", rule="decide.verdict")
    operation = visit.services.operations.decide(
        visit.principal,
        pairs,
        approve=verdict == "approve",
        reason=form.required("reason") if verdict == "deny" else form.text("reason"),
    )
    return visit.redirect(f"/console/operations/{operation.id}", "It has begun.")


def _candidates(visit: Visit, ids: Sequence[str]) -> list[Candidate]:
    found = []
    for request_id in ids:
        try:
            review = visit.services.reviews.show(visit.principal, request_id)
        except NotFound:
            continue  # deleted since
        severities = [
            finding.severity
            for finding in visit.services.reviews.findings(visit.principal, request_id)
        ]
        fates = [line.fate for line in review.lines]
        found.append(
            Candidate(
                review,
                severities.count(Severity.ERROR),
                severities.count(Severity.WARNING),
                fates.count(Fate.CHANGED),
                fates.count(Fate.DROPPED),
                review.refusals.get(Act.APPROVE),
                review.refusals.get(Act.DENY),
            )
        )
    return found
