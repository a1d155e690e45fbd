"""One request: what is asked and what would be signed, who has decided, and deciding."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.services.review import Act
from chancery.web.console import content
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/requests", section="requests")


@pages.get("/{id}", Permission.AUTHENTICATED)
def one(visit: Visit) -> Response:
    review = visit.services.reviews.show(visit.principal, visit.path["id"])
    findings = visit.services.reviews.findings(visit.principal, review.request.id)
    return visit.render(
        "console/requests/one.html",
        review=review,
        request=review.request,
        named=content.called(review.request.subject, review.request.names, review.request.id),
        groups=content.of_request(review.content, review.asked, review.lines, review.submission),
        findings=findings,
        refusals={act.value: review.refusals.get(act) for act in Act},
    )


@pages.get("/{id}/findings", Permission.AUTHENTICATED)
def findings(visit: Visit) -> Response:
    """What the full linter says, too: it takes a moment, so the page asks for it afterwards."""
    found = visit.services.reviews.findings(visit.principal, visit.path["id"], full=True)
    return visit.render(
        "console/requests/findings.html",
        block="findings",
        id=visit.path["id"],
        found=found,
    )


@pages.post("/{id}/approve", Permission.REQUEST_DECIDE, step_up=True, form=one)
def approve(visit: Visit) -> Response:
    """Say yes to what the page showed, and to nothing else."""
    seen = visit.form.required("content_sha256", "what the page showed")
    request = visit.services.decisions.approve(visit.principal, visit.path["id"], seen)
    if request.certificate_id is not None:
        said = "Approved, and the certificate is issued."
    else:
        said = "Approved. Others must still approve before it is issued."
    return visit.redirect(f"/console/requests/{request.id}", said)


@pages.post("/{id}/deny", Permission.REQUEST_DECIDE, step_up=True, form=one)
def deny(visit: Visit) -> Response:
    reason = visit.form.required("reason")
    request = visit.services.decisions.deny(visit.principal, visit.path["id"], reason)
    return visit.redirect(f"/console/requests/{request.id}", "Denied; the requester can read why.")


@pages.post("/{id}/note", Permission.AUTHENTICATED, form=one)
def note(visit: Visit) -> Response:
    text = visit.form.required("text", "the comment")
    visit.services.changes.add_note(visit.principal, visit.path["id"], text)
    return visit.redirect(f"/console/requests/{visit.path['id']}#comments", "Comment added.")


@pages.post("/{id}/withdraw", Permission.REQUEST_SUBMIT, form=one)
def withdraw(visit: Visit) -> Response:
    visit.services.changes.withdraw(visit.principal, visit.path["id"])
    return visit.redirect(f"/console/requests/{visit.path['id']}", "Withdrawn.")


@pages.post("/{id}/delete", Permission.REQUEST_SUBMIT, form=one)
def delete(visit: Visit) -> Response:
    visit.services.changes.delete(visit.principal, visit.path["id"])
    return visit.redirect("/console/requests?state=any", "The request is deleted.")
