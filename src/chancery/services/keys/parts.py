"""Components: keys that come in, or go out, in pieces that different people hold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_orders import KeyAction, KeyAuthority, KeyOrder, Part, people_in
from chancery.domain.key_states import shown
from chancery.domain.managed_key import KeyFacts, Origin
from chancery.ports import Session
from chancery.ports_keys import KeyEntry, NewKey
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.keys.departure import leaves
from chancery.services.keys.desk import (
    DAY,
    Desk,
    KeyView,
    Outcome,
    authority,
    needed,
)
from chancery.services.keys.entries import Content, EntryView, view_of
from chancery.services.keys.making import Making
from chancery.services.keys.people import able, demand_holder
from chancery.services.keys.wanted import Wanted
from chancery.services.keys.watching import REFUSED, watched
from chancery.wire import documents

DAYS: Final = 7
"""How long components may wait for one another."""


class Parts:
    def __init__(self, desk: Desk, making: Making) -> None:
        self._desk = desk
        self._making = making

    # In

    def begin(self, principal: Principal, wanted: Wanted, total: int) -> EntryView:
        """Open an entry for a key of *total* components, each to come from another person."""
        if not 2 <= total <= 9:
            raise BadRequest("2 to 9 components", field="total", rule="parts.number")
        with self._desk.store.read() as session:
            self._desk.group(session, principal, wanted.group, KeyRight.MANAGE)
            template = self._desk.template(session, wanted.template)
            self._desk.free(session, wanted.name)
        if not template.kind.secret or "components" not in template.entry:
            raise NotPermitted(
                f"keys of template {template.name} do not come in components",
                field="template",
                rule="key-template.entry",
            )
        return self._open(principal, wanted.name, wanted.group, total,
                          Content(template.kind, wanted), outward=False)  # fmt: skip

    @watched("key-component.refused", REFUSED)
    def enter(
        self, principal: Principal, entry_id: str, number: int, component: str, check_value: str
    ) -> Part:
        """Bring one component, in hex; its check value must be the one given, if one is."""
        view = self._mine(principal, entry_id, KeyRight.HOLD)
        try:
            octets = bytes.fromhex(component)
        except ValueError:
            raise BadRequest(
                "a component is hexadecimal digits", field="component", rule="parts.hex"
            ) from None
        if view.entry.outward:
            raise _no_entry(entry_id)
        place = (number, view.entry.total)
        kind, who = view.content.kind, authority(principal)
        made = self._desk.vault.put_part(entry_id, kind, place, octets, check_value, who)
        self._note(principal, view, number, "key-component.entered", who.actor, made.check_value)
        return made

    @watched("key-component.refused", REFUSED)
    def finish(self, principal: Principal, entry_id: str, check_value: str = "") -> KeyView:
        """Make the key; *check_value* is what the paper says it should have."""
        view = self._mine(principal, entry_id, KeyRight.MANAGE)
        wanted = view.content.wanted
        if view.entry.outward or wanted is None:
            raise _no_entry(entry_id)
        if missing := view.entry.total - len(view.content.seen):
            raise Conflict(
                f"{missing} of {view.entry.total} components are missing",
                field="entry",
                rule="parts.missing",
                remedy="have those who hold them bring them: `chancery key-component enter`",
            )

        def make(new: NewKey, who: KeyAuthority) -> KeyFacts:
            return self._desk.vault.join(new, entry_id, check_value, who)

        def closed(session: Session) -> None:
            session.keys.put_entry(replace(view.entry, closed=True))

        now = self._desk.clock.s()
        if wanted.activation is not None and wanted.activation < now:
            wanted = replace(wanted, activation=now)  # the components came later than was meant
        return self._making.make(principal, wanted, Origin.COMPONENTS, make, also=closed)

    def able(self, principal: Principal, view: EntryView) -> list[str]:
        """Accounts that could still bring a component of an entry that *principal* sees."""
        self.show(principal, view.entry.id)
        with self._desk.store.read() as session:
            group = session.keys.group(view.entry.group)
            found = able(self._desk, session, group, KeyRight.HOLD) if group is not None else []
        return [name for name in found if name not in people_in(view.content.parts.values())]

    # Out

    def holders(self, principal: Principal, name: str) -> list[str]:
        """Accounts that may be given a component of this key."""
        with self._desk.store.read() as session:
            _, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            return able(self._desk, session, group, KeyRight.HOLD)

    @watched("key.export-refused", REFUSED)
    def split(
        self,
        principal: Principal,
        name: str,
        holders: Sequence[str],
        *,
        version: int | None = None,
        order: KeyOrder | None = None,
    ) -> Outcome:
        """Make a component for each of *holders*; each sees the own one, once."""
        if not 2 <= len(holders) <= 9 or len(set(holders)) < len(holders):
            raise BadRequest(
                "2 to 9 different people hold components", field="holders", rule="parts.people"
            )
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
            for holder in holders:
                demand_holder(self._desk, session, group, holder)
        leaves(self._desk, key, found)
        if not key.kind.secret:
            raise NotPermitted("a pair of keys has no components", field="key", rule="parts.kind")
        if order is None:
            asked: dict[str, Any] = {
                "name": name, "holders": list(holders), "version": found.number,
            }  # fmt: skip
            others = needed(key, group, 1)
            return self._desk.order(principal, key, KeyAction.SPLIT, asked, others)
        entry_id = order.id
        who = authority(principal, order)
        self._desk.vault.split(entry_id, found.handle, holders, who)
        content = Content(
            key.kind, None, {str(n): one for n, one in enumerate(holders, 1)},
            combined=found.facts.check_value,
        )  # fmt: skip
        self._open(principal, name, key.group, len(holders), content, outward=True, order=order)
        with self._desk.store.read() as session:
            return Outcome(self._desk.view(session, key), data=entry_id.encode())

    @watched("key-component.refused", REFUSED)
    def take(self, principal: Principal, entry_id: str, number: int) -> Part:
        """See the own component, once."""
        demand(principal, Permission.AUTHENTICATED)
        with self._desk.store.read() as session:
            entry = session.keys.entry(entry_id)
        if entry is None or not entry.outward:
            raise _no_entry(entry_id)
        view = view_of(entry)
        if view.content.parts.get(str(number)) not in principal.people:
            raise NotPermitted(
                "this component is for somebody else", field="number", rule="parts.holder"
            )
        who = authority(principal)
        part = self._desk.vault.take_part(entry_id, number, who)
        self._note(principal, view, number, "key-component.taken", who.actor, part.check_value)
        return part

    def find(
        self, principal: Principal, cursor: str | None = None, limit: int = 100
    ) -> list[EntryView]:
        """Newest first: of the groups one may see, and those one holds a part of."""
        demand(principal, Permission.KEY_READ)
        with self._desk.store.read() as session:
            seen = self._desk.visible(session, principal) or frozenset()
            found = [view_of(entry) for entry in session.keys.entries(cursor, limit)]
        return [
            view
            for view in found
            if view.entry.group in seen or principal.people & set(view.content.parts.values())
        ]

    def show(self, principal: Principal, entry_id: str) -> EntryView:
        """One that one may see."""
        demand(principal, Permission.KEY_READ)
        with self._desk.store.read() as session:
            seen = self._desk.visible(session, principal) or frozenset()
            entry = session.keys.entry(entry_id)
        view = view_of(entry) if entry is not None else None
        if view is None or not (
            view.entry.group in seen or principal.people & set(view.content.parts.values())
        ):
            raise _no_entry(entry_id)
        return view

    def drop(self, principal: Principal, entry_id: str) -> None:
        """Give an entry up; what came in is erased."""
        view = self._mine(principal, entry_id, KeyRight.MANAGE, closed=True)
        self._desk.drop_parts(principal, view.entry)

    def _mine(
        self, principal: Principal, entry_id: str, right: KeyRight, *, closed: bool = False
    ) -> EntryView:
        with self._desk.store.read() as session:
            entry = session.keys.entry(entry_id)
            if entry is None:
                raise _no_entry(entry_id)
            self._desk.group(session, principal, entry.group, right)
        if not closed and (entry.closed or self._desk.clock.s() >= entry.expires_at):
            raise WrongState(
                "this entry is closed" if entry.closed
                else f"this entry ended on {shown(entry.expires_at)}",
                field="entry",
                rule="parts.closed",
                remedy="begin a new one",
            )  # fmt: skip
        return view_of(entry)

    def _open(
        self, principal: Principal, key: str, group: str, total: int, content: Content, *,
        outward: bool, order: KeyOrder | None = None,
    ) -> EntryView:  # fmt: skip
        now = self._desk.clock.ms()
        entry = KeyEntry(
            order.id if order is not None else self._desk.new_id(), key, group, outward, total,
            documents.encode(content).decode(), principal.name, now // 1000,
            now // 1000 + DAYS * DAY, closed=False,
        )  # fmt: skip

        def unit(session: Session) -> None:
            session.keys.put_entry(entry)
            self._desk.close(session, order)
            told = event(
                principal, "key.split" if outward else "key-component.begun", key, entry=entry.id,
                total=total, holders=sorted(content.parts.values()),
                approvers=[] if order is None else list(order.approvers),
            )  # fmt: skip
            session.audit.append([told], now)

        self._desk.store.write(unit)
        return EntryView(entry, content)

    def _note(
        self, principal: Principal, view: EntryView, number: int, action: str, who: str, value: str
    ) -> None:
        """Put on record whose component came or went; never what it is."""
        now = self._desk.clock.ms()

        def unit(session: Session) -> None:
            entry = session.keys.entry(view.entry.id)
            assert entry is not None
            content = view_of(entry).content
            seen = tuple(sorted({*content.seen, number}))
            noted = replace(
                content,
                parts={**content.parts, str(number): who},
                seen=seen,
                values={**content.values, str(number): value},
            )
            closed = entry.closed or (entry.outward and len(seen) == entry.total)
            session.keys.put_entry(
                replace(entry, document=documents.encode(noted).decode(), closed=closed)
            )
            told = event(
                principal, action, entry.key, entry=entry.id, number=number, check_value=value
            )
            session.audit.append([told], now)

        self._desk.store.write(unit)


def _no_entry(entry_id: str) -> NotFound:
    return NotFound(
        f"no components are expected under {entry_id[:64]!r}",
        field="entry",
        rule="parts.known",
        remedy="`chancery key-component list` shows what there is",
    )
