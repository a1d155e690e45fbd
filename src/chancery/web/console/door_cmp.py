"""A CMP door's own: the registration authorities that it believes."""

from typing import Final

from starlette.responses import Response

from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import NotFound
from chancery.services.enrolment import trusted_ras
from chancery.web.console import doors
from chancery.web.pages import Pages
from chancery.web.visit import Visit

_LARGEST: Final = 64 * 1024

pages = Pages(doors.HOME, section="doors")


@pages.get("/{protocol}/{label}/trusted", doors.READ)
def trusted(visit: Visit) -> Response:
    """Whose word this door takes for the keys and requests of others."""
    door = _door(visit)
    found = trusted_ras.all_of(door)
    return visit.render("console/doors/cmp_trusted.html", door=door, trusted=found)


@pages.post("/{protocol}/{label}/trusted", doors.MANAGE, step_up=True, form=trusted)
def trust(visit: Visit) -> Response:
    upload = visit.form.file("file")
    data = upload.data if upload is not None else visit.form.required("certificate").encode()
    door = trusted_ras.trusting(_door(visit), data[: _LARGEST + 1])
    visit.services.doors.put(visit.principal, door)
    return visit.redirect(_at(door), "Its word counts at this door from now on.")


@pages.post("/{protocol}/{label}/trusted/{sha256}/drop", doors.MANAGE, step_up=True, form=trusted)
def distrust(visit: Visit) -> Response:
    door = trusted_ras.distrusting(_door(visit), visit.path["sha256"])
    visit.services.doors.put(visit.principal, door)
    return visit.redirect(_at(door), "Its word counts no more.", "info")


def _door(visit: Visit) -> Door:
    if visit.path["protocol"] != DoorProtocol.CMP.value:
        raise NotFound(
            "only a CMP door trusts registration authorities", field="door", rule="door.known"
        )
    return visit.services.doors.show(visit.principal, f"cmp/{visit.path['label']}")


def _at(door: Door) -> str:
    return f"{doors.HOME}/{door.name}/trusted"
