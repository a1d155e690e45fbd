"""What waits for one person about keys: to agree to, to carry out, to bring and to take."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.identity import Permission, Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_orders import OrderState, people_in
from chancery.ports import Session
from chancery.ports_keys import KeyEntry
from chancery.services.keys.desk import ENTRIES, Desk
from chancery.services.keys.entries import view_of

_MOST: Final = 200  # orders looked at, the newest first


class ErrandKind(StrEnum):
    AGREE = "agree"
    PERFORM = "perform"
    BRING = "bring"
    TAKE = "take"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Errand:
    """*about* is the id of an order or of an entry of components."""

    kind: ErrandKind
    about: str
    key: str
    until: int


class Errands:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def of(self, principal: Principal) -> list[Errand]:
        """What *principal* can do now for others, or that others let it do."""
        if Permission.KEY_READ not in principal.permissions or principal.ra:
            return []
        with self._desk.store.read() as session:
            rights = {
                group.name: self._desk.effective(principal, group)
                for group in session.keys.groups()
            }
            return [
                *self._orders(session, principal, rights),
                *self._entries(session, principal, rights),
            ]

    def _orders(
        self, session: Session, principal: Principal, rights: dict[str, frozenset[KeyRight]]
    ) -> Iterator[Errand]:
        now, people = self._desk.clock.s(), principal.people
        for order in session.keys.orders(OrderState.OPEN, None, _MOST):
            mine = people & (set(order.requested_by) | people_in(order.approvers))
            able = KeyRight.APPROVE in rights.get(order.group, ()) and order.expires_at > now
            if able and not mine:
                yield Errand(ErrandKind.AGREE, order.id, order.key, order.expires_at)
        for order in session.keys.orders(OrderState.APPROVED, None, _MOST):
            if people == set(order.requested_by) and order.expires_at > now:
                yield Errand(ErrandKind.PERFORM, order.id, order.key, order.expires_at)

    def _entries(
        self, session: Session, principal: Principal, rights: dict[str, frozenset[KeyRight]]
    ) -> Iterator[Errand]:
        now = self._desk.clock.s()
        for entry in session.keys.entries(None, ENTRIES):
            if not entry.closed and entry.expires_at > now:
                kind = _of_entry(entry, principal, rights.get(entry.group, frozenset()))
                if kind is not None:
                    yield Errand(kind, entry.id, entry.key, entry.expires_at)


def _of_entry(
    entry: KeyEntry, principal: Principal, rights: frozenset[KeyRight]
) -> ErrandKind | None:
    content = view_of(entry).content
    if entry.outward:
        mine = [n for n, who in content.parts.items() if who in principal.people]
        waits = any(int(number) not in content.seen for number in mine)
        return ErrandKind.TAKE if waits else None
    if len(content.seen) == entry.total:
        return ErrandKind.FINISH if KeyRight.MANAGE in rights else None
    brought = principal.people & people_in(content.parts.values())
    return ErrandKind.BRING if KeyRight.HOLD in rights and not brought else None
