"""Notifications: the ways out, what went out or did not, and what one does not want."""

from typing import Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.notification import DeliveryState, Event
from chancery.ports_work import DeliveryFilter
from chancery.services.notifications.recipients import EVERYTHING
from chancery.services.notifications.service import TOLD_TO_PEOPLE
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/notifications",
    section="notifications",
    nav=Nav("Notifications", "bell", 88, (Permission.WORK_READ,), group="Administration"),
)
own = Pages("/console/account/notifications", section="account")

PATH: Final = "/console/notifications"
_SIZE: Final = 50
WORDS: Final = {
    Event.REQUEST_WAITING: ("Request waiting", "A request waits for a decision."),
    Event.REQUEST_APPROVED: ("Request approved", "The last approval that was missing is there."),
    Event.REQUEST_DENIED: ("Request denied", "Somebody said no, and why."),
    Event.CERTIFICATE_ISSUED: ("Certificate issued", "It was signed and can be fetched."),
    Event.CERTIFICATE_EXPIRING: (
        "Certificate expiring",
        "In 30, 14 and 7 days, and on the last day.",
    ),
    Event.REVOCATION_REQUESTED: (
        "Revocation wished",
        "Somebody who knows a request's code asks to revoke.",
    ),
    Event.CRL_LATE: ("CRL late", "A CRL did not come when it should, or has expired."),
    Event.CA_EXPIRING: ("CA expiring", "In 90, 30 and 7 days."),
    Event.JOB_FAILED: ("Job failed", "Work in the background was given up."),
    Event.BACKUP_CONCERN: (
        "Backup concern",
        "A backup is late or failed, or no restore was tried for long.",
    ),
    Event.KEY_ROTATION_DUE: ("Key rotation due", "A key gets its next version soon, or is late."),
    Event.KEY_EXPIRING: ("Key ending", "A key protects nothing new soon, and nothing renews it."),
    Event.TEST: ("Test", "Somebody tried a channel."),
}


@pages.get("", Permission.WORK_READ)
def channels(visit: Visit) -> Response:
    return visit.render(
        "console/notifications/channels.html",
        channels=visit.services.notifications.channels(visit.principal),
        words=WORDS,
        address=_own_address(visit),
    )


@pages.post("/test", Permission.WORK_MANAGE)
def try_channel(visit: Visit) -> Response:
    channel, address = visit.form.required("channel"), visit.form.text("address") or None
    sent = visit.services.notifications.test(visit.principal, channel, address)
    return visit.redirect(f"{PATH}/outbox/{sent.id}", "On its way.", "info")


@pages.get("/outbox", Permission.WORK_READ)
def outbox(visit: Visit) -> Response:
    asked = paging.asked(visit.query, _SIZE)
    where = _filter(visit)
    rows = visit.services.notifications.find(visit.principal, where, asked.cursor, asked.limit)
    page = paging.paged(f"{PATH}/outbox", visit.query, rows, key=lambda row: row.id, size=_SIZE)
    known = visit.services.notifications.channels(visit.principal)
    return visit.render(
        "console/notifications/outbox.html",
        block="results",
        page=page,
        words=WORDS,
        states=[(one.value, one.value.capitalize()) for one in DeliveryState],
        events=[(one.value, WORDS[one][0]) for one in Event],
        channels=[(one.name, one.name) for one in known],
        filtered=where != DeliveryFilter(),
    )


@pages.get("/outbox/{id}", Permission.WORK_READ)
def message(visit: Visit) -> Response:
    found = visit.services.notifications.show(visit.principal, visit.path["id"])
    return visit.render(
        "console/notifications/message.html",
        block="standing",
        message=found,
        words=WORDS,
        moving=found.state is DeliveryState.WAITING and found.attempts < 2,
    )


@pages.post("/outbox/{id}/retry", Permission.WORK_MANAGE, form=message)
def retry(visit: Visit) -> Response:
    found = visit.services.notifications.retry(visit.principal, visit.path["id"])
    return visit.redirect(f"{PATH}/outbox/{found.id}", "It is sent again now.", "info")


@own.get("", Permission.AUTHENTICATED)
def preferences(visit: Visit) -> Response:
    unwanted = visit.services.notifications.opted_out(visit.principal)
    everything = EVERYTHING in unwanted
    return visit.render(
        "console/notifications/preferences.html",
        options=[(one.value, *WORDS[one]) for one in TOLD_TO_PEOPLE],
        wanted=[one.value for one in TOLD_TO_PEOPLE if not everything and one not in unwanted],
        address=_own_address(visit),
    )


@own.post("", Permission.AUTHENTICATED)
def prefer(visit: Visit) -> Response:
    """What is ticked is wanted; a box that is not there cannot be told from one left empty."""
    wanted = set(visit.form.all("wanted"))
    unwanted = frozenset(one.value for one in TOLD_TO_PEOPLE if one.value not in wanted)
    visit.services.notifications.set_opted_out(visit.principal, unwanted)
    return visit.redirect("/console/account/notifications", "Saved.")


def _own_address(visit: Visit) -> str:
    with visit.services.store.read() as session:
        user = session.identities.user(visit.principal.name)
    return user.email if user is not None else ""


def _filter(visit: Visit) -> DeliveryFilter:
    query = visit.query
    try:
        return DeliveryFilter(
            state=DeliveryState(query.text("state")) if query.text("state") else None,
            channel=query.text("channel") or None,
            recipient=query.text("recipient") or None,
            event=Event(query.text("event")) if query.text("event") else None,
            about=query.text("about") or None,
        )
    except ValueError as error:
        raise BadRequest(
            f"the filter names something that there is not: {error}"[:200],
            field="filter",
            rule="outbox.filter",
            remedy="choose from the lists",
        ) from None
