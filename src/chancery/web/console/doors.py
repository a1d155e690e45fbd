"""Doors: the protocols by which devices and servers enrol, their credentials, what came in."""

import json
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission
from chancery.services.enrolment import Issued, NewCredential
from chancery.web.console import door_form
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit
from chancery.wire import general_names

HOME: Final = "/console/doors"
READ: Final = Permission.RA_READ
MANAGE: Final = Permission.RA_MANAGE
ISSUE: Final = Permission.CREDENTIAL_ISSUE
_SHOWN: Final = 50
KINDS: Final[Mapping[DoorProtocol, CredentialKind]] = {
    DoorProtocol.SCEP: CredentialKind.ONE_TIME,
    DoorProtocol.EST: CredentialKind.USER,
    DoorProtocol.CMP: CredentialKind.SECRET,
    DoorProtocol.ACME: CredentialKind.ACCOUNT,
}
NAMES: Final[Mapping[CredentialKind, str]] = {
    CredentialKind.ONE_TIME: "One-time password",
    CredentialKind.USER: "User",
    CredentialKind.SECRET: "Shared secret",
    CredentialKind.ACCOUNT: "External account",
}

pages = Pages(HOME, section="doors", nav=Nav("Doors", "door-enter", 53, (READ,), group="Trust"))


@pages.get("", READ)
def found(visit: Visit) -> Response:
    return visit.render("console/doors/list.html", doors=visit.services.doors.all(visit.principal))


@pages.get("/_new", MANAGE)
def new(visit: Visit) -> Response:
    return _editor(visit, None)


@pages.post("/_new", MANAGE, step_up=True, form=new)
def create(visit: Visit) -> Response:
    door = door_form.door_of(visit.form)
    if any(one.name == door.name for one in visit.services.doors.all(visit.principal)):
        raise BadRequest(
            f"there is a door {door.name}",
            field="door.label",
            rule="door.new",
            remedy="choose another label, or edit that one",
        )
    return _saved(visit, door)


@pages.get("/{protocol}/{label}", READ)
def one(visit: Visit) -> Response:
    return shown(visit)


@pages.get("/{protocol}/{label}/edit", MANAGE)
def edit(visit: Visit) -> Response:
    return _editor(visit, _door(visit))


@pages.post("/{protocol}/{label}/edit", MANAGE, step_up=True, form=edit)
def save(visit: Visit) -> Response:
    return _saved(visit, door_form.door_of(visit.form, _door(visit)))


@pages.post("/{protocol}/{label}/delete", MANAGE, step_up=True, form=one)
def delete(visit: Visit) -> Response:
    name = _door(visit).name
    visit.services.doors.delete(visit.principal, name)
    return visit.redirect(HOME, f"{name} is closed for good; what was issued stays valid.", "info")


@pages.post("/{protocol}/{label}/credentials", ISSUE, form=one, slow=True)
def issue(visit: Visit) -> Response:
    """Make one: its secret is on the page that answers, and nowhere else."""
    door, form = _door(visit), visit.form
    names = tuple(general_names.parse(line) for line in form.text("names").split())
    exact = form.flag("exact")
    binding = Binding(
        subject=form.text("subject") or None,
        names=names if exact else None,
        name_patterns=tuple(form.text("name_patterns").split()),
        profile=form.text("profile") or None,
    )
    # An account orders again and again: its key ends only where somebody says so.
    lasting = door.protocol is DoorProtocol.ACME
    days = form.number("days", None if lasting else 7, least=1, most=3650)
    wanted = NewCredential(
        KINDS[door.protocol],
        binding=binding,
        reference=form.text("reference") or None,
        uses=form.number("uses", None if lasting else 1, least=1, most=1_000_000),
        expires_s=days * 86_400 if days is not None else None,
        recoverable=bool(door.settings.get("digest")),
        note=form.text("note"),
    )
    made = visit.services.credentials.issue(visit.principal, door.name, wanted)
    return shown(visit, made)


@pages.post("/{protocol}/{label}/credentials/{id}/revoke", ISSUE, form=one)
def revoke(visit: Visit) -> Response:
    visit.services.credentials.revoke(visit.principal, visit.path["id"])
    return visit.redirect(_at(_door(visit)), "Nobody enrols with it any more.", "info")


@pages.post("/{protocol}/{label}/credentials/{id}/delete", ISSUE, form=one)
def forget(visit: Visit) -> Response:
    visit.services.credentials.delete(visit.principal, visit.path["id"])
    return visit.redirect(_at(_door(visit)), "It is forgotten; the audit log remembers.", "info")


def shown(visit: Visit, made: Issued | None = None) -> Response:
    """The page of a door, with what was made at it."""
    door = _door(visit)
    may_look = visit.may(Permission.CREDENTIAL_READ)
    services, who = visit.services, visit.principal
    return visit.render(
        "console/doors/one.html",
        door=door,
        made=made,
        url=services.doors.url(door),
        kind=KINDS[door.protocol],
        kinds=NAMES,
        offered=[(name, name) for name in sorted(door.offered)],
        credentials=services.credentials.find(who, door.name, None, None, _SHOWN)
        if may_look
        else [],
        traffic=services.doors.traffic(who, door.name, _SHOWN) if may_look else [],
        settings=json.dumps(dict(door.settings), indent=2, sort_keys=True),
    )


def _editor(visit: Visit, door: Door | None) -> Response:
    ras = [ra for ra in visit.services.ras.all(visit.principal) if not ra.disabled]
    return visit.render(
        "console/doors/edit.html",
        door=door,
        protocols=[(one.value, one.value.upper()) for one in DoorProtocol],
        ras=[(ra.name, ra.name) for ra in ras],
        profiles=[(name, name) for name in sorted({p for ra in ras for p in ra.profiles})],
        authorities=[(name, name) for name in sorted({a for ra in ras for a in ra.authorities})],
        settings=json.dumps(dict(door.settings) if door else {}, indent=2, sort_keys=True),
    )


def _saved(visit: Visit, door: Door) -> Response:
    visit.services.doors.put(visit.principal, door)
    return visit.redirect(_at(door), "Saved.")


def _door(visit: Visit) -> Door:
    if visit.path["protocol"] not in set(DoorProtocol):
        raise NotFound("no such door", field="door", rule="door.known")
    name = f"{visit.path['protocol']}/{visit.path['label']}"
    return visit.services.doors.show(visit.principal, name)


def _at(door: Door) -> str:
    return f"{HOME}/{door.name}"
