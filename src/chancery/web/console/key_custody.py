"""Keys in the hands of several people: what waits for agreement, and components."""

from typing import Final

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_orders import KeyAction, KeyOrder, OrderState, Part, people_in
from chancery.web import paging
from chancery.web.console import key_reading as reading
from chancery.web.console import key_words as words
from chancery.web.console.keys import PATH
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(PATH, section="keys")

AGREEMENTS: Final = f"{PATH}/_agreements"
COMPONENTS: Final = f"{PATH}/_components"
_SIZE: Final = 50
_OPEN: Final = frozenset({OrderState.OPEN, OrderState.APPROVED})


@pages.get("/_agreements", Permission.KEY_READ)
def agreements(visit: Visit) -> Response:
    asked = paging.asked(visit.query, _SIZE)
    state = visit.query.text("state")
    wanted_state = OrderState(state) if state in set(OrderState) else None
    orders = visit.services.keys.orders
    rows = orders.find(visit.principal, wanted_state, asked.cursor, asked.limit)
    return visit.render(
        "console/keys/agreements.html",
        block="results",
        page=paging.paged(AGREEMENTS, visit.query, rows, key=lambda o: o.id, size=_SIZE),
        wishes=words.WISHES,
        states=[(one.value, one.value.capitalize()) for one in OrderState],
    )


@pages.get("/_agreements/{id}", Permission.KEY_READ)
def agreement(visit: Visit) -> Response:
    keys = visit.services.keys
    order = keys.orders.show(visit.principal, visit.path["id"])
    mine = bool(visit.principal.people & set(order.requested_by))
    agreed = bool(visit.principal.people & people_in(order.approvers))
    approves = KeyRight.APPROVE in keys.groups.rights(visit.principal, order.group)
    over = order.expires_at <= visit.now
    open_ = order.state is OrderState.OPEN and not over
    return visit.render(
        "console/keys/agreement.html",
        order=order,
        wish=words.WISHES.get(order.action, order.action.value),
        mine=mine,
        state="expired" if over and order.state in _OPEN else order.state.value,
        asked=list(words.asked(order)),
        agreed=agreed,
        decidable=open_ and not mine and not agreed and approves,
        ready=order.state is OrderState.APPROVED and mine and not over,
        withdrawable=order.state in _OPEN and not over and (mine or (approves and open_)),
        able=keys.orders.able(visit.principal, order) if open_ else [],
        packs=order.action is KeyAction.PACKAGE,
    )


@pages.post("/_agreements/{id}/approve", Permission.KEY_READ, step_up=True, form=agreement)
def approve(visit: Visit) -> Response:
    """Agree to what is on the page, and to nothing else: the form carries its hash."""
    visit.services.keys.orders.approve(
        visit.principal, visit.path["id"], visit.form.required("content")
    )
    return visit.redirect(f"{AGREEMENTS}/{visit.path['id']}", "You agreed.")


@pages.post("/_agreements/{id}/deny", Permission.KEY_READ, form=agreement)
def deny(visit: Visit) -> Response:
    visit.services.keys.orders.deny(
        visit.principal, visit.path["id"], visit.form.required("reason")
    )
    return visit.redirect(f"{AGREEMENTS}/{visit.path['id']}", "Denied.", "info")


@pages.post("/_agreements/{id}/perform", Permission.KEY_MANAGE, step_up=True, form=agreement)
def perform(visit: Visit) -> Response:
    order = visit.services.keys.orders.show(visit.principal, visit.path["id"])
    secret = visit.form.raw("passphrase")
    done = visit.services.keys.orders.perform(visit.principal, order.id, secret)
    if order.action is KeyAction.SPLIT:
        return visit.redirect(COMPONENTS, "Each holder can see the own component now, once.")
    if done.data:
        return visit.download(done.data, f"{order.key}.{_suffix(order)}")
    return visit.redirect(f"{PATH}/{order.key}", "Carried out.")


@pages.get("/_components", Permission.KEY_READ)
def components(visit: Visit) -> Response:
    asked = paging.asked(visit.query, _SIZE)
    rows = visit.services.keys.parts.find(visit.principal, asked.cursor, asked.limit)
    return visit.render(
        "console/keys/components.html",
        page=paging.paged(COMPONENTS, visit.query, rows, key=lambda v: v.entry.id, size=_SIZE),
        people=visit.principal.people,
        **reading.choices(visit),
    )


@pages.post("/_components", Permission.KEY_MANAGE, step_up=True, form=components)
def begin(visit: Visit) -> Response:
    total = visit.form.number("total", 2, least=2, most=9) or 2
    made = visit.services.keys.parts.begin(visit.principal, reading.wanted(visit), total)
    return visit.redirect(f"{COMPONENTS}/{made.entry.id}", "Begun: each component from another.")


@pages.get("/_components/{id}", Permission.KEY_READ)
def entry(visit: Visit) -> Response:
    return _shown(visit)


@pages.post("/_components/{id}/enter", Permission.KEY_READ, form=entry)
def enter(visit: Visit) -> Response:
    form = visit.form
    part = visit.services.keys.parts.enter(
        visit.principal,
        visit.path["id"],
        form.number("number", 1, least=1, most=9) or 1,
        "".join(form.required("component").split()),
        form.text("check_value"),
    )
    return visit.redirect(
        f"{COMPONENTS}/{visit.path['id']}", f"Component {part.number} is in: {part.check_value}."
    )


@pages.post("/_components/{id}/finish", Permission.KEY_MANAGE, step_up=True, form=entry)
def finish(visit: Visit) -> Response:
    made = visit.services.keys.parts.finish(
        visit.principal, visit.path["id"], visit.form.text("check_value")
    )
    return visit.redirect(f"{PATH}/{made.key.name}", "The key is made.")


@pages.post("/_components/{id}/take", Permission.KEY_READ, step_up=True, form=entry)
def take(visit: Visit) -> Response:
    """Show the component in the answer itself: it is nowhere afterwards."""
    number = visit.form.number("number", 1, least=1, most=9) or 1
    part = visit.services.keys.parts.take(visit.principal, visit.path["id"], number)
    return _shown(visit, part)


def _shown(visit: Visit, part: Part | None = None) -> Response:
    keys, who = visit.services.keys, visit.principal
    view = keys.parts.show(who, visit.path["id"])
    rights = keys.groups.rights(who, view.entry.group)
    numbers = range(1, view.entry.total + 1)
    brought = who.people & people_in(view.content.parts.values())
    inward = not view.entry.outward
    missing = [n for n in numbers if n not in view.content.seen]
    return visit.render(
        "console/keys/entry.html",
        entry=view.entry,
        content=view.content,
        people=who.people,
        numbers=numbers,
        missing=missing,
        brings=inward and KeyRight.HOLD in rights and not brought and bool(missing),
        manages=KeyRight.MANAGE in rights,
        able=keys.parts.able(who, view) if inward and not view.entry.closed else [],
        part=part,
    )


@pages.post("/_components/{id}/drop", Permission.KEY_MANAGE, form=entry)
def drop(visit: Visit) -> Response:
    visit.services.keys.parts.drop(visit.principal, visit.path["id"])
    return visit.redirect(COMPONENTS, "Given up; what was in is erased.", "info")


def _suffix(order: KeyOrder) -> str:
    """What a file that comes out is called after its key."""
    told = order.parameters
    if order.action is KeyAction.PACKAGE:
        return "p12" if told["form"] == "pkcs12" else "p8"
    if order.action is KeyAction.ESCROW:
        return "escrow.json"
    return "tr31" if told["method"].startswith("tr31") else "wrapped"
