"""Backups: the last one and the last drill, what waits for a second person, all there were."""

from typing import Final

from starlette.responses import Response

from chancery.domain.backup import Consent
from chancery.domain.identity import Permission
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/backups",
    section="backups",
    nav=Nav("Backups", "archive", 89, (Permission.BACKUP_READ,), group="Administration"),
)

PATH: Final = "/console/backups"
_SIZE: Final = 50
_SPANS: Final = (
    ("", "One now"),
    ("3600", "One every hour"),
    ("21600", "One every 6 hours"),
    ("86400", "One every day"),
    ("604800", "One every week"),
)


@pages.get("", Permission.BACKUP_READ)
def overview(visit: Visit) -> Response:
    asked, backups, who = paging.asked(visit.query, _SIZE), visit.services.backups, visit.principal
    rows = backups.find(who, asked.cursor, asked.limit)
    orders, keys = backups.orders(who), backups.keys(who)
    return visit.render(
        "console/backups/overview.html",
        block="results",
        page=paging.paged(PATH, visit.query, rows, key=lambda row: row.id, size=_SIZE),
        standing=backups.standing(who),
        proposals=[one for one in keys if one.state is Consent.PROPOSED],
        waiting=[one for one in orders if one.state is Consent.PROPOSED],
        standing_orders=[one for one in orders if one.every_s and one.state is Consent.APPROVED],
        drills=backups.drills(who)[:10],
        spans=_SPANS,
    )


@pages.post("/orders", Permission.BACKUP_MANAGE, step_up=True, form=overview)
def order(visit: Visit) -> Response:
    every = visit.form.text("every_s")
    made = visit.services.backups.order(
        visit.principal,
        every_s=int(every) if every.isdecimal() else None,
        comment=visit.form.text("comment"),
    )
    if made.state is Consent.APPROVED:
        return visit.redirect(PATH, "Ordered by both of you: it is made now.")
    return visit.redirect(PATH, "Ordered.  Another operator must approve it.", "info")


@pages.post("/orders/{id}/approve", Permission.BACKUP_MANAGE, step_up=True, form=overview)
def approve_order(visit: Visit) -> Response:
    visit.services.backups.approve_order(visit.principal, visit.path["id"])
    return visit.redirect(PATH, "Approved: it is made now.")


@pages.post("/orders/{id}/withdraw", Permission.BACKUP_MANAGE, form=overview)
def withdraw_order(visit: Visit) -> Response:
    visit.services.backups.withdraw_order(visit.principal, visit.path["id"])
    return visit.redirect(PATH, "Withdrawn.", "info")


@pages.post("/keys/{id}/approve", Permission.BACKUP_MANAGE, step_up=True, form=overview)
def approve_key(visit: Visit) -> Response:
    visit.services.backups.approve_key(visit.principal, visit.path["id"])
    return visit.redirect(PATH, "Approved: backups are encrypted to it from now on.")


@pages.post("/keys/{id}/withdraw", Permission.BACKUP_MANAGE, form=overview)
def withdraw_key(visit: Visit) -> Response:
    visit.services.backups.withdraw_key(visit.principal, visit.path["id"])
    return visit.redirect(PATH, "Withdrawn.", "info")


@pages.get("/{id}", Permission.BACKUP_READ)
def one(visit: Visit) -> Response:
    return visit.render(
        "console/backups/one.html",
        backup=visit.services.backups.show(visit.principal, visit.path["id"]),
    )
