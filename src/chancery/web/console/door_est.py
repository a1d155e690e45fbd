"""An EST door's own: keys that both ends hold, for what serverkeygen makes."""

import secrets
from typing import Final

from starlette.responses import Response

from chancery.domain.door import DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.errors import NotFound
from chancery.services.enrolment import NewCredential
from chancery.web.console import doors
from chancery.web.pages import Pages
from chancery.web.visit import Visit

_OCTETS: Final = 32

pages = Pages(doors.HOME, section="doors")


@pages.post("/{protocol}/{label}/shared-keys", doors.ISSUE, form=doors.one)
def make(visit: Visit) -> Response:
    """Make one: it is on the page that answers, in hex, and nowhere else."""
    if visit.path["protocol"] != DoorProtocol.EST.value:
        raise NotFound("only an EST door has such keys", field="door", rule="door.known")
    door, form = (
        visit.services.doors.show(visit.principal, f"est/{visit.path['label']}"),
        visit.form,
    )
    days = form.number("days", 7, least=1, most=3650)
    wanted = NewCredential(
        CredentialKind.SECRET,
        binding=Binding(names=()),  # nobody enrols with it
        reference=form.text("reference") or None,
        secret=secrets.token_hex(_OCTETS),
        uses=None,
        expires_s=days * 86_400 if days is not None else None,
        note=form.text("note"),
    )
    return doors.shown(visit, visit.services.credentials.issue(visit.principal, door.name, wanted))
