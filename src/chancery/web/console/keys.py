"""Managed keys: the tree of groups, a key with its versions, new ones, changes, calendar."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyGroup
from chancery.domain.key_states import GONE, KeyEvent, KeyState, since, state_at
from chancery.domain.managed_key import KeyKind
from chancery.ports_keys import KeyFilter
from chancery.services.keys.desk import Outcome
from chancery.services.keys.wanted import Wanted
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/keys",
    section="keys",
    nav=Nav("Keys", "key", 45, (Permission.KEY_READ,), group="Trust"),
)

PATH: Final = "/console/keys"
_SIZE: Final = 50
_DAYS: Final = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("1825", "5 years"))
_EVENTS: Final = {
    KeyState.PRE_ACTIVE: (KeyEvent.ACTIVATE, KeyEvent.COMPROMISE, KeyEvent.DESTROY),
    KeyState.ACTIVE: (KeyEvent.SUSPEND, KeyEvent.DEACTIVATE, KeyEvent.COMPROMISE),
    KeyState.SUSPENDED: (KeyEvent.RESUME, KeyEvent.DEACTIVATE, KeyEvent.COMPROMISE),
    KeyState.DEACTIVATED: (KeyEvent.COMPROMISE, KeyEvent.DESTROY),
    KeyState.COMPROMISED: (KeyEvent.DESTROY,),
    KeyState.DESTROYED: (KeyEvent.COMPROMISE,),
    KeyState.DESTROYED_COMPROMISED: (),
}
WORDS: Final = {
    KeyEvent.ACTIVATE: ("Activate", "It may be used from now on."),
    KeyEvent.SUSPEND: ("Suspend", "It does nothing until somebody resumes it."),
    KeyEvent.RESUME: ("Resume", "It may be used again."),
    KeyEvent.DEACTIVATE: (
        "Deactivate",
        "It protects nothing new; what it did stays readable.",
    ),
    KeyEvent.COMPROMISE: ("Report compromise", "Others may know it: it does nothing any more."),
    KeyEvent.DESTROY: ("Destroy", "Its material is erased for good; the record of it stays."),
}


@pages.get("", Permission.KEY_READ)
def tree(visit: Visit) -> Response:
    keys, who, query = visit.services.keys, visit.principal, visit.query
    where = KeyFilter(None, query.text("group"), _kind(query.text("kind")), query.text("text"))
    asked = paging.asked(query, _SIZE)
    rows = keys.life.find(who, where, asked.cursor, asked.limit)
    page = paging.paged(PATH, query, rows, key=lambda view: view.key.name, size=_SIZE)
    groups = keys.groups.all(who)
    return visit.render(
        "console/keys/tree.html",
        block="results",
        page=page,
        groups=nested(groups),
        groups_offered=[(group.name, group.name) for group in groups],
        kinds=[(kind.value, kind.value) for kind in KeyKind],
        state=lambda view: state_at(view.current.dates, visit.now),
        since=lambda view: since(view.current.dates, visit.now),
        filtered=where != KeyFilter(),
    )


@pages.get("/_calendar", Permission.KEY_READ)
def calendar(visit: Visit) -> Response:
    days = visit.query.number("days", 90, least=1, most=3_660) or 90
    due = visit.services.keys.life.calendar(visit.principal, visit.now, days)
    months: dict[str, list[object]] = {}
    for one in due:
        months.setdefault(month_of(one.at), []).append(one)
    return visit.render(
        "console/keys/calendar.html", block="results", months=months, days=_DAYS, chosen=days
    )


@pages.get("/_new", Permission.KEY_MANAGE)
def new(visit: Visit) -> Response:
    return visit.render("console/keys/new.html", **choices(visit))


@pages.post("/_new", Permission.KEY_MANAGE, step_up=True, form=new)
def generate(visit: Visit) -> Response:
    made = visit.services.keys.making.generate(visit.principal, wanted(visit))
    return visit.redirect(f"{PATH}/{made.key.name}", "Generated.")


@pages.get("/_import", Permission.KEY_MANAGE)
def import_form(visit: Visit) -> Response:
    return visit.render("console/keys/import.html", **choices(visit))


@pages.post("/_import", Permission.KEY_MANAGE, form=import_form)
def take_in(visit: Visit) -> Response:
    form, making = visit.form, visit.services.keys.making
    upload = form.file("packed")
    if upload is None or not upload.data:
        raise BadRequest("choose a file", field="packed", rule="required")
    if by := form.text("by"):
        method = form.required("method")
        data = upload.data.strip() if method.startswith("tr31") else upload.data
        made = making.unwrap(visit.principal, wanted(visit), by, method, data)
    else:
        made = making.insert(visit.principal, wanted(visit), upload.data, form.raw("passphrase"))
    return visit.redirect(f"{PATH}/{made.key.name}", "Imported.")


@pages.get("/{name}", Permission.KEY_READ)
def one(visit: Visit) -> Response:
    view = visit.services.keys.life.show(visit.principal, visit.path["name"])
    versions = [
        (version, state_at(version.dates, visit.now), since(version.dates, visit.now))
        for version in view.versions
    ]
    state = state_at(view.current.dates, visit.now)
    return visit.render(
        "console/keys/one.html",
        view=view,
        key=view.key,
        current=view.current,
        state=state,
        since=since(view.current.dates, visit.now),
        versions=versions,
        events=[(event, *WORDS[event]) for event in _EVENTS[state]],
        older={v.number: [(e, *WORDS[e]) for e in _EVENTS[s]] for v, s, _ in versions},
        gone=state in GONE,
    )


@pages.post("/{name}/state", Permission.KEY_MANAGE, step_up=True, form=one)
def change(visit: Visit) -> Response:
    form = visit.form
    try:
        event = KeyEvent(form.required("event"))
    except ValueError:
        raise BadRequest("there is no such change", field="event", rule="key.event") from None
    done = visit.services.keys.life.change(
        visit.principal,
        visit.path["name"],
        event,
        form.required("reason"),
        version=form.number("version", 1, least=1) if form.text("version") else None,
    )
    return after(visit, done, f"{WORDS[event][0]}: done.")


@pages.post("/{name}/rotate", Permission.KEY_MANAGE, step_up=True, form=one)
def rotate(visit: Visit) -> Response:
    done = visit.services.keys.making.rotate(
        visit.principal, visit.path["name"], visit.form.text("reason")
    )
    return after(visit, done, "There is a new version.")


def after(visit: Visit, done: Outcome, said: str) -> Response:
    """On to the key; or to what others must agree to first."""
    if done.order is not None:
        return visit.redirect(
            f"{PATH}/_agreements/{done.order.id}", "Asked for.  Others must agree to it.", "info"
        )
    return visit.redirect(f"{PATH}/{visit.path['name']}", said)


def wanted(visit: Visit) -> Wanted:
    """What a form says that a new key is to be."""
    form = visit.form
    return Wanted(
        form.required("name"),
        form.required("group"),
        form.required("template"),
        form.text("description"),
        form.text("custodian"),
    )


def choices(visit: Visit) -> dict[str, Any]:
    """What may be chosen in the forms for new keys."""
    keys, who = visit.services.keys, visit.principal
    templates = keys.templates.all(who)
    return {
        "groups": [group.name for group in keys.groups.all(who)],
        "templates": [(one.name, f"{one.name}: {one.description}"[:110]) for one in templates],
        "secret_templates": [
            (one.name, f"{one.name}: {one.description}"[:110])
            for one in templates
            if one.kind.secret and "components" in one.entry
        ],
    }


def nested(groups: list[KeyGroup]) -> list[tuple[int, KeyGroup]]:
    """The groups in the order of their tree, each with its depth."""
    known = {group.name for group in groups}

    def below(parent: str, depth: int) -> list[tuple[int, KeyGroup]]:
        found = []
        for group in groups:
            above = group.parent if group.parent in known else ""
            if above == parent:
                found += [(depth, group), *below(group.name, depth + 1)]
        return found

    return below("", 0)


def month_of(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%B %Y")


def _kind(text: str) -> str:
    return text if text in set(KeyKind) else ""
