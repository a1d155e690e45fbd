"""Issuing by hand: choose what to ask for, fill it in, see what it becomes, send it."""

from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.services.portal.check import Checked
from chancery.services.portal.offers import Offer
from chancery.web.console import content, drafts, request_form
from chancery.web.console.request_form import Open
from chancery.web.fields import Fields, Form
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/requests", section="requests")

PATH: Final = "/console/requests/new"
_BODY: Final = 1024 * 1024


@pages.get("/new", Permission.REQUEST_SUBMIT)
def start(visit: Visit) -> Response:
    """The choice of profile; once there is one, the form."""
    fields: Fields = visit.form if visit.method == "POST" else visit.query
    offers = visit.services.portal.offers.open_to(visit.principal)
    offer = _chosen(offers, fields)
    if offer is None:
        by_ra = [(ra, list(some)) for ra, some in groupby(offers, lambda one: one.ra)]
        return visit.render("console/requests/choose.html", by_ra=by_ra)
    given = request_form.left_open(offer, by_server=fields.text("way") == "key")
    form = drafts.typed(visit, [(f"{request_form.NAMES}[0].value", "")])
    return draw(visit, form, given)


@pages.post("/new", Permission.REQUEST_SUBMIT, max_body=_BODY)
def go_on(visit: Visit) -> Response:
    """Another row, a look at what it would become, or the submission."""
    request_form.take_in(visit)
    offers = visit.services.portal.offers.open_to(visit.principal)
    offer = _chosen(offers, visit.form)
    if offer is None:
        return visit.redirect(PATH)
    given = request_form.left_open(offer, by_server=visit.form.text("way") == "key")
    what = visit.form.text("do")
    if what == "submit":
        made = visit.services.registration.submit(
            visit.principal, request_form.submission(visit.form, given)
        )
        said = "Issued." if made.certificate is not None else "Submitted; it waits for approval."
        return visit.redirect(f"/console/requests/{made.request.id}", said)
    if what.partition(":")[0] in ("add", "remove"):
        form, focus = drafts.with_rows_changed(visit.form, what, given.fresh)
        return draw(visit, drafts.show_instead(visit, form.pairs()), given, focus=focus)
    return draw(visit, visit.form, given, looked=True)


def draw(
    visit: Visit,
    form: Form,
    given: Open,
    *,
    looked: bool = False,
    focus: str = "",
    editing: str = "",
) -> Response:
    """The form; with *looked*, what it would become beside it.  *editing* is a request's id."""
    checked, fault = _foreseen(visit, form, given) if looked else (None, None)
    groups: list[content.Group] = []
    if checked is not None and checked.certificate is not None:
        groups = content.of_request(
            checked.certificate,
            checked.request,
            checked.lines,
            request_form.submission(form, given),
        )
    same = [("ra", given.offer.ra.name), ("profile", given.offer.profile.name)]
    return visit.render(
        "console/requests/new.html",
        block="preview",
        given=given,
        offer=given.offer,
        rows=max(1, drafts.rows(form, request_form.NAMES)) if given.kinds else 0,
        form=form,
        looked=looked,
        checked=checked,
        fault=fault,
        groups=groups,
        focus=focus,
        editing=editing,
        action=f"/console/requests/{editing}/edit" if editing else PATH,
        ways={way: f"{PATH}?{urlencode([*same, ('way', way)])}" for way in ("csr", "key")},
    )


def _foreseen(visit: Visit, form: Form, given: Open) -> tuple[Checked | None, CAError | None]:
    try:
        wanted = request_form.submission(form, given)
        return visit.services.portal.checks.check(visit.principal, wanted), None
    except CAError as error:
        return None, error


def _chosen(offers: list[Offer], fields: Fields) -> Offer | None:
    ra, profile = fields.text("ra"), fields.text("profile")
    for offer in offers:
        if (offer.ra.name, offer.profile.name) == (ra, profile):
            return offer
    return None
