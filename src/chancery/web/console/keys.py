"""Managed keys: the tree of groups, a key with its versions, what is to come."""

from typing import Final

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyGroup, KeyRight
from chancery.domain.key_notices import ends_at, notices
from chancery.domain.key_orders import OrderState
from chancery.domain.key_states import GONE, since, state_at
from chancery.domain.managed_key import Exportability, KeyKind
from chancery.ports_keys import KeyFilter
from chancery.services.keys.desk import KeyView, Outcome
from chancery.web import paging
from chancery.web.console import key_words as words
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/keys",
    section="keys",
    nav=Nav("Keys", "key", 45, (Permission.KEY_READ,), group="Trust"),
)

PATH: Final = "/console/keys"
_SIZE: Final = 50
_ORDERS: Final = 100
_IN_TREE: Final = 500
_DAYS: Final = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("1825", "5 years"))


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
        groups_offered=[(group.name, group.name) for group in groups],
        kinds=[(kind.value, kind.value) for kind in KeyKind],
        state=lambda view: state_at(view.current.dates, visit.now),
        since=lambda view: since(view.current.dates, visit.now),
        told=lambda view: list(notices(view.key, view.current, visit.now)),
        filtered=where != KeyFilter(),
        makes=makes(visit),
    )


@pages.get("/_tree", Permission.KEY_READ)
def branches(visit: Visit) -> Response:
    """Every group with its keys, as they hang together."""
    keys, who = visit.services.keys, visit.principal
    found: dict[str, list[KeyView]] = {}
    views = keys.life.find(who, KeyFilter(), None, _IN_TREE + 1)
    for view in views[:_IN_TREE]:
        found.setdefault(view.key.group, []).append(view)
    return visit.render(
        "console/keys/branches.html",
        groups=nested(keys.groups.all(who)),
        keys=found,
        cut=len(views) > _IN_TREE,
        state=lambda view: state_at(view.current.dates, visit.now),
        since=lambda view: since(view.current.dates, visit.now),
        ends=lambda view: ends_at(view.current.dates),
        told=lambda view: list(notices(view.key, view.current, visit.now)),
    )


@pages.get("/_calendar", Permission.KEY_READ)
def calendar(visit: Visit) -> Response:
    days = visit.query.number("days", 90, least=1, most=3_660) or 90
    due = visit.services.keys.life.calendar(visit.principal, visit.now, days)
    months: dict[str, list[object]] = {name: [] for name in words.months(visit.now, days)}
    for one in due:
        months.setdefault(words.month_of(one.at), []).append(one)
    return visit.render(
        "console/keys/calendar.html", block="results", months=months, days=_DAYS, chosen=days
    )


@pages.get("/{name}", Permission.KEY_READ)
def one(visit: Visit) -> Response:
    view = visit.services.keys.life.show(visit.principal, visit.path["name"])
    key, current = view.key, view.current
    state = state_at(current.dates, visit.now)
    versions = [
        (version, state_at(version.dates, visit.now), since(version.dates, visit.now))
        for version in view.versions
    ]
    orders = visit.services.keys.orders
    waiting = [
        order
        for wanted in (OrderState.OPEN, OrderState.APPROVED)
        for order in orders.find(visit.principal, wanted, None, _ORDERS)
        if order.key == key.name and order.expires_at > visit.now
    ]
    return visit.render(
        "console/keys/one.html",
        view=view,
        key=key,
        current=current,
        state=state,
        since=since(current.dates, visit.now),
        life=words.life(current.dates, visit.now),
        versions=versions,
        events=[(event, *words.TITLES[event]) for event in words.EVENTS[state]],
        older={
            v.number: [(e, words.TITLES[e][0]) for e in words.EVENTS[s]] for v, s, _ in versions
        },
        grave=words.GRAVE,
        gone=state in GONE,
        told=list(notices(key, current, visit.now)),
        waiting=waiting,
        wishes=words.WISHES,
        needed=needed(visit, view),
        rights=visit.services.keys.groups.rights(visit.principal, key.group),
        leaves=key.rules.exportability is not Exportability.NONE,
        exportability=words.EXPORTABILITY[key.rules.exportability],
        R=KeyRight,
    )


def needed(visit: Visit, view: KeyView) -> int:
    """How many others must agree before the key changes or leaves."""
    group = visit.services.keys.groups.show(visit.principal, view.key.group)
    return max(group.approvals, view.key.rules.approvals)


def makes(visit: Visit) -> bool:
    """Whether the visitor may make keys in some group."""
    keys, who = visit.services.keys, visit.principal
    return visit.may(Permission.KEY_MANAGE) and any(
        KeyRight.MANAGE in keys.groups.rights(who, group.name) for group in keys.groups.all(who)
    )


def after(visit: Visit, done: Outcome, said: str) -> Response:
    """On to the key; or to what others must agree to first."""
    if done.order is not None:
        return visit.redirect(
            f"{PATH}/_agreements/{done.order.id}", "Asked for.  Others must agree to it.", "info"
        )
    return visit.redirect(f"{PATH}/{visit.path['name']}", said)


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


def _kind(text: str) -> str:
    return text if text in set(KeyKind) else ""
