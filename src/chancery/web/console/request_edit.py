"""Changing one's undecided request, and fetching a key that was made here."""

from starlette.responses import Response

from chancery.domain.errors import BadRequest, WrongState
from chancery.domain.identity import Permission
from chancery.services.review import Act, Review
from chancery.web import step_up
from chancery.web.console import content, drafts, request_form
from chancery.web.console.request_form import Open
from chancery.web.console.request_new import draw
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/requests", section="requests")

_BODY = 1024 * 1024


@pages.get("/{id}/edit", Permission.REQUEST_SUBMIT)
def form(visit: Visit) -> Response:
    review, given = _editable(visit)
    draft = drafts.typed(visit, request_form.typed(review.submission, given.offer))
    return draw(visit, draft, given, looked=visit.error is None, editing=review.request.id)


@pages.post("/{id}/edit", Permission.REQUEST_SUBMIT, max_body=_BODY)
def edit(visit: Visit) -> Response:
    """Another row, a look, or the new content."""
    request_form.take_in(visit)
    review, given = _editable(visit)
    what, request_id = visit.form.text("do"), review.request.id
    if what == "submit":
        wanted = request_form.submission(visit.form, given)
        visit.services.changes.edit(visit.principal, request_id, wanted)
        return visit.redirect(
            f"/console/requests/{request_id}", "Changed. Approvals given before do not count."
        )
    if what.partition(":")[0] in ("add", "remove"):
        draft, focus = drafts.with_rows_changed(visit.form, what, given.fresh)
        shown = drafts.show_instead(visit, draft.pairs())
        return draw(visit, shown, given, focus=focus, editing=request_id)
    return draw(visit, visit.form, given, looked=True, editing=request_id)


def _editable(visit: Visit) -> tuple[Review, Open]:
    """The request and what is open in it; raises why it is not edited now."""
    review = visit.services.reviews.show(visit.principal, visit.path["id"])
    if refusal := review.refusals.get(Act.EDIT):
        raise refusal
    request = review.request
    for offer in visit.services.portal.offers.open_to(visit.principal):
        if (offer.ra.name, offer.profile.name) == (request.ra, request.profile):
            by_server = review.submission.server_key is not None
            return review, request_form.left_open(offer, by_server=by_server)
    raise WrongState(
        f"{request.ra} does not offer {request.profile} any more",
        field="profile",
        rule="ra.profiles",
        remedy="withdraw it, and ask for what is offered now",
    )


@pages.get("/{id}/key", Permission.REQUEST_SUBMIT)
def passphrase(visit: Visit) -> Response:
    """Asks for the passphrase that will protect the file; first, who it is that asks."""
    if not visit.fresh and visit.method == "GET":
        return step_up.ask(visit, back=visit.url)
    review = visit.services.reviews.show(visit.principal, visit.path["id"])
    fetched = [one for one in review.history if one.action == "key.exported"]
    return visit.render(
        "console/requests/key.html",
        request=review.request,
        named=content.called(review.request.subject, review.request.names, review.request.id),
        fetched=fetched,
    )


@pages.post("/{id}/key", Permission.REQUEST_SUBMIT, step_up=True)
def key(visit: Visit) -> Response:
    """The certificate with its key, as PKCS#12."""
    secret = visit.form.raw("passphrase")
    if secret != visit.form.raw("again"):
        raise BadRequest(
            "the two are not the same",
            field="again",
            rule="passphrase.again",
            remedy="type the same passphrase twice",
        )
    made = visit.services.delivery.download(
        visit.principal, visit.path["id"], "p12", passphrase=secret
    )
    return visit.download(made.data, made.filename, made.media_type)
