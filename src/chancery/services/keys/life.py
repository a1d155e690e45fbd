"""A key's states and dates, what is said about it, and finding it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_orders import KeyAction, KeyOrder
from chancery.domain.key_states import GONE, KeyEvent, KeyState, since, state_at, transition
from chancery.domain.managed_key import KeyVersion, ManagedKey, RotationPolicy
from chancery.ports import Session
from chancery.ports_keys import KeyFilter
from chancery.services.audit import event
from chancery.services.keys.desk import (
    DAY,
    Desk,
    KeyView,
    Outcome,
    authority,
    needed,
    unchanged,
)
from chancery.services.keys.making import next_rotation
from chancery.services.keys.wanted import check_texts
from chancery.services.keys.watching import watched
from chancery.services.request_access import bounded

AT_ONCE: Final = frozenset({KeyEvent.SUSPEND, KeyEvent.COMPROMISE})
"""What protects a key never waits for anybody's agreement."""
STOPPED_FOR_GOOD: Final = GONE | {KeyState.COMPROMISED}
_MANY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is to happen to a key: *what* on day *at* (Unix seconds)."""

    at: int
    key: str
    group: str
    version: int
    what: str


class Life:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def find(
        self, principal: Principal, where: KeyFilter, cursor: str | None = None, limit: int = 100
    ) -> list[KeyView]:
        """By name, of the groups that *principal* may see."""
        with self._desk.store.read() as session:
            seen = self._desk.visible(session, principal)
            found = session.keys.find(replace(where, groups=seen), cursor, limit)
            return [self._desk.view(session, key) for key in found]

    def show(self, principal: Principal, name: str) -> KeyView:
        with self._desk.store.read() as session:
            key, _ = self._desk.key(session, principal, name, KeyRight.VIEW)
            return self._desk.view(session, key)

    @watched("key.change-refused")
    def change(
        self,
        principal: Principal,
        name: str,
        what: KeyEvent,
        reason: str,
        *,
        at: int | None = None,
        version: int | None = None,
        order: KeyOrder | None = None,
    ) -> Outcome:
        """Take a version, the current one if none is named, along its life."""
        bounded(reason, "reason")
        if not reason.strip():
            raise BadRequest("a change of state needs a reason", field="reason", rule="key.reason")
        now = self._desk.clock.s()
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
        titled = f"{name} version {found.number}"
        dates = transition(found.dates, what, now, at=at, what=titled)
        others = 0 if what in AT_ONCE else needed(key, group)
        if order is None and others:
            asked: dict[str, Any] = {"name": name, "what": what.value, "reason": reason}
            asked |= {"at": at, "version": found.number}
            return self._desk.order(principal, key, KeyAction.STATE, asked, others)
        self._desk.vault.move(found.handle, dates, authority(principal, order))
        begun = replace(key, rotates_at=next_rotation(key.rotation, dates.activation or now))
        moved = begun if what is KeyEvent.ACTIVATE and found.number == key.current else key

        def unit(session: Session) -> KeyView:
            unchanged(session, found)
            session.keys.update_version(replace(found, dates=dates))
            if moved != key:
                session.keys.update(moved, before=key)
            self._desk.close(session, order)
            told = event(
                principal, f"key.{_PAST[what]}", name, version=found.number, reason=reason,
                state_before=state_at(found.dates, now).value,
                state=state_at(dates, now).value, at=at,
                order=None if order is None else order.id,
                approvers=[] if order is None else list(order.approvers),
            )  # fmt: skip
            session.audit.append([told], self._desk.clock.ms())
            return self._desk.view(session, moved)

        done = Outcome(self._desk.store.write(unit))
        if state_at(dates, now) in STOPPED_FOR_GOOD:
            self._desk.withdraw_parts(principal, name)
        return done

    @watched("key.change-refused")
    def edit(
        self,
        principal: Principal,
        name: str,
        *,
        description: str | None = None,
        custodian: str | None = None,
        rotation: RotationPolicy | None = None,
        labels: dict[str, str] | None = None,
        order: KeyOrder | None = None,
    ) -> Outcome:
        """Change what is said about a key, and when it is renewed."""
        given = {"description": description, "custodian": custodian, "labels": labels}
        changes: dict[str, Any] = {field: v for field, v in given.items() if v is not None}
        check_texts(description or "", custodian or "", labels or {})
        if not changes and rotation is None:
            raise BadRequest("nothing to change was given", rule="edit.empty")
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            current = self._desk.version(session, key)
        asked: dict[str, Any] = {"name": name, **changes}
        if rotation is not None:
            asked["rotation"] = {
                "every": rotation.every, "overlap": rotation.overlap, "warn": rotation.warn,
            }  # fmt: skip
            begin = current.dates.activation or current.dates.created
            changes |= {"rotation": rotation, "rotates_at": next_rotation(rotation, begin)}
            if order is None and (others := needed(key, group)):
                return self._desk.order(principal, key, KeyAction.EDIT, asked, others)
        changed = replace(key, **changes)

        def unit(session: Session) -> KeyView:
            session.keys.update(changed, before=key)
            self._desk.close(session, order)
            told = {field: value for field, value in asked.items() if field != "name"}
            session.audit.append(
                [event(principal, "key.changed", name, **told)], self._desk.clock.ms()
            )
            return self._desk.view(session, changed)

        return Outcome(self._desk.store.write(unit))

    def calendar(self, principal: Principal, start: int, days: int) -> list[Due]:
        """What is to happen to the keys one may see, within *days* from *start*; soonest first.

        What is overdue stands at its own day, before *start*.
        """
        if not 1 <= days <= 3_660:
            raise BadRequest("1 to 3660 days", field="days", rule="calendar.days")
        end = start + days * DAY
        now = self._desk.clock.s()
        found: list[Due] = []
        for view in self.find(principal, KeyFilter(), None, _MANY):
            found += [due for due in _coming(view, now) if due.at < end]
        return sorted(found, key=lambda due: (due.at, due.key))


def _coming(view: KeyView, now: int) -> list[Due]:
    key = view.key
    found = []
    if key.rotates_at is not None:
        found.append(Due(key.rotates_at, key.name, key.group, key.current, "rotation"))
    for version in view.versions:
        found += [
            Due(at, key.name, key.group, version.number, what)
            for what, at in (
                ("activation", version.dates.activation),
                ("protect-stop", version.dates.protect_stop),
                ("deactivation", version.dates.deactivation),
            )
            if at is not None and at > now and _matters(version, now)
        ]
    return found


def _matters(version: KeyVersion, now: int) -> bool:
    return state_at(version.dates, now) in {
        KeyState.PRE_ACTIVE, KeyState.ACTIVE, KeyState.SUSPENDED,
    }  # fmt: skip


def standing(versions: Sequence[KeyVersion], key: ManagedKey, now: int) -> tuple[KeyState, int]:
    """The state of the current version, and since when."""
    current = next(one for one in versions if one.number == key.current)
    return state_at(current.dates, now), since(current.dates, now)


_PAST: Final = {
    KeyEvent.ACTIVATE: "activated",
    KeyEvent.SUSPEND: "suspended",
    KeyEvent.RESUME: "resumed",
    KeyEvent.DEACTIVATE: "deactivated",
    KeyEvent.COMPROMISE: "compromised",
    KeyEvent.DESTROY: "destroyed",
}
