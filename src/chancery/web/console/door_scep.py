"""A SCEP door's own: one-time passwords for many devices from a list."""

import csv
import io

from starlette.responses import Response

from chancery.domain.door import DoorProtocol
from chancery.domain.errors import NotFound
from chancery.services.enrolment import one_time
from chancery.web.console import doors
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire import otp_csv

pages = Pages(doors.HOME, section="doors")


@pages.post("/{protocol}/{label}/import", doors.ISSUE, form=doors.one)
def import_(visit: Visit) -> Response:
    """Make them, all or none: the passwords are on the page that answers, and nowhere else."""
    if visit.path["protocol"] != DoorProtocol.SCEP.value:
        raise NotFound("only a SCEP door has such passwords", field="door", rule="door.known")
    door = visit.services.doors.show(visit.principal, f"scep/{visit.path['label']}")
    wanted = one_time.all_wanted(otp_csv.decode(visit.form.raw("csv").encode()))
    made = visit.services.credentials.issue_many(visit.principal, door.name, wanted)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("subject", "san", "otp"))
    for one in made:
        binding = one.credential.binding
        names = " ".join(name.text for name in binding.names or ())
        rows.writerow((binding.subject or binding.subject_pattern or "", names, one.secret))
    return visit.render(
        "console/doors/scep_made.html", door=door, count=len(made), csv=text.getvalue()
    )
