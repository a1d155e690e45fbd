"""Registration authorities: the list, one of them, its versions, its document.

The form is in ``registration_editor``.
"""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.registration import RaFilter
from chancery.services.profile_diff import Change, differences, said
from chancery.web.console import judging
from chancery.web.console.judging import as_json
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

READ = Permission.RA_READ
MANAGE = Permission.RA_MANAGE
HOME = "/console/registrations"
STATES = (("open", "Open"), ("public", "Open to everybody"), ("closed", "Disabled"))

pages = Pages(
    HOME,
    section="registrations",
    nav=Nav("Registration", "clipboard-check", 52, (READ,), group="Trust"),
)


@pages.get("", READ)
def found(visit: Visit) -> Response:
    """Every registration authority that meets the filters."""
    every = visit.services.ras.all(visit.principal)
    query, state = visit.query, visit.query.text("state")
    where = RaFilter(
        query.text("q"),
        query.text("profile") or None,
        query.text("authority") or None,
        True if state == "public" else None,
        {"open": False, "closed": True}.get(state),
    )
    shown = visit.services.ras.find(visit.principal, where)
    return visit.render(
        "console/registrations/list.html",
        block="results",
        ras=shown,
        every=every,
        profiles=[(p, p) for p in sorted({p for ra in every for p in ra.profiles})],
        authorities=[(a, a) for a in sorted({a for ra in every for a in ra.authorities})],
        states=STATES,
    )


@pages.get("/{name}", READ)
def one(visit: Visit) -> Response:
    """Who may submit what to which CA, who decides, and what is dangerous about it."""
    ra = visit.services.ras.show(visit.principal, visit.path["name"])
    return visit.render(
        "console/registrations/one.html",
        ra=ra,
        waiting=visit.services.ras.waiting(visit.principal, ra.name),
        risks=visit.services.policy.risks.ra(visit.principal, ra.name),
        tabs=judging.tabs(f"{HOME}/{ra.name}", "overview"),
        said=said,
        tones=judging.TONES,
        words=judging.WORDS,
    )


@pages.get("/{name}/versions", READ)
def versions(visit: Visit) -> Response:
    name = visit.path["name"]
    known = visit.services.ras.versions(visit.principal, name)
    old, new = judging.pair(visit, [version.version for version in known])
    return visit.render(
        "console/registrations/versions.html",
        block="results",
        name=name,
        versions=list(reversed(known)),
        old=old,
        new=new,
        changes=_between(visit, name, old, new),
        tabs=judging.tabs(f"{HOME}/{name}", "versions"),
        home=HOME,
        manage=MANAGE,
    )


@pages.get("/{name}/json", READ)
def document(visit: Visit) -> Response:
    ra = visit.services.ras.show(visit.principal, visit.path["name"])
    return visit.render(
        "console/registrations/json.html",
        ra=ra,
        text=as_json(ra),
        tabs=judging.tabs(f"{HOME}/{ra.name}", "json"),
    )


@pages.get("/{name}/export", READ)
def export(visit: Visit) -> Response:
    ra = visit.services.ras.show(visit.principal, visit.path["name"])
    return visit.download(as_json(ra).encode() + b"\n", f"ra-{ra.name}.json", "application/json")


@pages.post("/{name}/delete", MANAGE, step_up=True, form=one)
def delete(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.ras.delete(visit.principal, name)
    return visit.redirect(HOME, f"{name} is deleted; its versions stay on record.")


def _between(visit: Visit, name: str, old: int, new: int) -> tuple[Change, ...]:
    before, after = (
        visit.services.ras.version(visit.principal, name, number) for number in (old, new)
    )
    return differences(before, after)
