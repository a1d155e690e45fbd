"""An ACME door's own: accounts, orders, and certificates that are to be renewed early."""

from typing import Final

from starlette.responses import Response

from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import NotFound
from chancery.domain.identity import Permission
from chancery.services.acme.renewal import NewEarlyRenewal
from chancery.web.console import doors
from chancery.web.pages import Pages
from chancery.web.visit import Visit

LOOK: Final = Permission.CREDENTIAL_READ
_SHOWN: Final = 50
_HOUR_S: Final = 3_600

pages = Pages(doors.HOME, section="doors")


@pages.get("/{protocol}/{label}/accounts", LOOK)
def accounts(visit: Visit) -> Response:
    """The newest of each; older ones by the command line."""
    door, acme, who = _door(visit), visit.services.acme, visit.principal
    ras = visit.services.ras.show(who, door.ra)
    return visit.render(
        "console/doors/acme_accounts.html",
        door=door,
        accounts=acme.overview.accounts(who, door.name, None, None, _SHOWN),
        orders=acme.overview.orders(who, door.name, None, None, None, _SHOWN),
        renewals=acme.renewal.early(who),
        authorities=[(name, name) for name in ras.authorities],
        profiles=[(name, name) for name in sorted(door.offered)],
    )


@pages.post("/{protocol}/{label}/accounts/{id}/end", doors.ISSUE, form=accounts)
def end(visit: Visit) -> Response:
    door = _door(visit)
    visit.services.acme.overview.end_account(visit.principal, visit.path["id"])
    return visit.redirect(_at(door), "It orders nothing more; what was issued stays valid.", "info")


@pages.post("/{protocol}/{label}/renewals", doors.MANAGE, form=accounts)
def renew_early(visit: Visit) -> Response:
    door, form = _door(visit), visit.form
    wanted = NewEarlyRenewal(
        authority=form.text("authority") or None,
        profile=form.text("profile") or None,
        serial=form.text("serial") or None,
        issued_before=visit.now,
        lasting_s=(form.number("hours", 24, least=1, most=8_760) or 24) * _HOUR_S,
        explanation=form.text("explanation"),
        note=form.text("note"),
    )
    visit.services.acme.renewal.renew_early(visit.principal, wanted)
    return visit.redirect(_at(door), "Clients are told when they ask next, within hours.")


@pages.post("/{protocol}/{label}/renewals/{id}/drop", doors.MANAGE, form=accounts)
def drop(visit: Visit) -> Response:
    door = _door(visit)
    visit.services.acme.renewal.drop(visit.principal, visit.path["id"])
    return visit.redirect(_at(door), "They are renewed at their usual time again.", "info")


def _door(visit: Visit) -> Door:
    if visit.path["protocol"] != DoorProtocol.ACME.value:
        raise NotFound("only an ACME door has accounts", field="door", rule="door.known")
    return visit.services.doors.show(visit.principal, f"acme/{visit.path['label']}")


def _at(door: Door) -> str:
    return f"{doors.HOME}/{door.name}/accounts"
