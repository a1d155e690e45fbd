"""Wishes to revoke, by people who know a request's code: an officer answers."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.portal import HOLDER_REASONS, RevocationRequestState
from chancery.web import paging
from chancery.web.console import reasons
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

REVOKE = Permission.CERTIFICATE_REVOKE
pages = Pages(
    "/console/revocations",
    section="revocations",
    nav=Nav("Revocation wishes", "certificate-off", 35, (REVOKE,)),
)


@pages.get("", REVOKE)
def wishes(visit: Visit) -> Response:
    """The open ones first: they are why one comes here."""
    asked = paging.asked(visit.query)
    wanted = visit.query.text("state", RevocationRequestState.OPEN.value)
    state = RevocationRequestState(wanted) if wanted in set(RevocationRequestState) else None
    found = visit.services.portal.wishes.find(visit.principal, state, asked.cursor, asked.limit)
    return visit.render(
        "console/revocations/list.html",
        block="results",
        page=paging.paged("/console/revocations", visit.query, found, key=lambda wish: wish.id),
        state=state.value if state else "any",
        records={
            wish.id: visit.services.certificates.show(visit.principal, wish.serial, wish.authority)
            for wish in found[: paging.SIZE]
        },
        said=reasons.said,
    )


@pages.get("/{id}", REVOKE)
def one(visit: Visit) -> Response:
    wish = visit.services.portal.wishes.show(visit.principal, visit.path["id"])
    return visit.render(
        "console/revocations/one.html",
        wish=wish,
        record=visit.services.certificates.show(visit.principal, wish.serial, wish.authority),
        reasons=[(reason.name, *reasons.REASONS[reason.name]) for reason in HOLDER_REASONS],
        said=reasons.said,
    )


@pages.post("/{id}/accept", REVOKE, step_up=True, form=one)
def accept(visit: Visit) -> Response:
    visit.services.portal.wishes.accept(
        visit.principal, visit.path["id"], reasons.chosen(visit.form)
    )
    return visit.redirect("/console/revocations", "The certificate is revoked.")


@pages.post("/{id}/refuse", REVOKE, step_up=True, form=one)
def refuse(visit: Visit) -> Response:
    visit.services.portal.wishes.refuse(
        visit.principal, visit.path["id"], visit.form.required("why", "a reason")
    )
    return visit.redirect("/console/revocations", "Refused; the asker can read why.")
