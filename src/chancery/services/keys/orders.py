"""The agreement of others: what waits, who agreed, and carrying out what was agreed to."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted, WrongState
from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_orders import KeyAction, KeyOrder, OrderState, people_in
from chancery.domain.key_states import KeyEvent
from chancery.domain.managed_key import RotationPolicy
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.keys.desk import Desk, Outcome
from chancery.services.keys.escrow import Escrow
from chancery.services.keys.leaving import Leaving
from chancery.services.keys.life import Life
from chancery.services.keys.making import Making
from chancery.services.keys.parts import Parts
from chancery.services.keys.people import able
from chancery.services.keys.watching import REFUSED, watched
from chancery.services.request_access import bounded

Do = Callable[[Principal, Mapping[str, Any], KeyOrder, str], Outcome]


class Orders:
    """See the module."""

    def __init__(
        self,
        desk: Desk,
        making: Making,
        life: Life,
        leaving: Leaving,
        escrow: Escrow,
        parts: Parts,
    ) -> None:
        self._desk = desk
        self._do: Final[Mapping[KeyAction, Do]] = {
            KeyAction.STATE: lambda who, p, order, _: life.change(
                who, p["name"], KeyEvent(p["what"]), p["reason"], at=p["at"],
                version=p["version"], order=order,
            ),
            KeyAction.ROTATE: lambda who, p, order, _: making.rotate(
                who, p["name"], p["reason"], order=order
            ),
            KeyAction.EDIT: lambda who, p, order, _: life.edit(
                who, p["name"], description=p.get("description"), custodian=p.get("custodian"),
                labels=p.get("labels"), rotation=RotationPolicy(**p["rotation"]), order=order,
            ),
            KeyAction.WRAP: lambda who, p, order, _: leaving.wrap(
                who, p["name"], p["method"], by=p["by"], public_key=p["public_key"],
                version=p["version"], block_usage=p["block_usage"], block_mode=p["block_mode"],
                order=order,
            ),
            KeyAction.PACKAGE: lambda who, p, order, secret: leaving.package(
                who, p["name"], p["form"], secret, version=p["version"], order=order
            ),
            KeyAction.ESCROW: lambda who, p, order, _: escrow.seal(
                who, p["name"], p["agents"], p["threshold"], version=p["version"], order=order
            ),
            KeyAction.SPLIT: lambda who, p, order, _: parts.split(
                who, p["name"], p["holders"], version=p["version"], order=order
            ),
        }  # fmt: skip

    def find(
        self, principal: Principal, state: OrderState | None = None, cursor: str | None = None,
        limit: int = 100,
    ) -> list[KeyOrder]:  # fmt: skip
        """Newest first, of the groups whose keys one may see."""
        with self._desk.store.read() as session:
            seen = self._desk.visible(session, principal) or frozenset()
            found: list[KeyOrder] = []
            while len(found) < limit:
                some = session.keys.orders(state, cursor, limit)
                found += [order for order in some if order.group in seen]
                if len(some) < limit:
                    break
                cursor = some[-1].id
            return found[:limit]

    def show(self, principal: Principal, order_id: str) -> KeyOrder:
        with self._desk.store.read() as session:
            return self._seen(session, principal, order_id)

    def able(self, principal: Principal, order: KeyOrder) -> list[str]:
        """Accounts that could still agree to *order*."""
        with self._desk.store.read() as session:
            self._seen(session, principal, order.id)
            group = session.keys.group(order.group)
            found = able(self._desk, session, group, KeyRight.APPROVE) if group is not None else []
        out = set(order.requested_by) | people_in(order.approvers)
        return [name for name in found if name not in out]

    @watched("key-order.refused", REFUSED)
    def approve(self, principal: Principal, order_id: str, content: str = "") -> KeyOrder:
        """Agree to what somebody else asked for; *content* is the hash of what was seen."""

        def unit(session: Session) -> KeyOrder:
            order = self._decidable(session, principal, order_id)
            if content and content != order.content:
                raise Conflict(
                    "this asks for something else than what you saw",
                    field="content",
                    rule="key-order.content",
                    remedy="look at it again",
                )
            if principal.people & set(order.requested_by):
                raise NotPermitted(
                    "nobody agrees to what they asked for themselves",
                    field="id",
                    rule="key-order.own",
                    remedy="somebody else with the right to approve must agree",
                )
            if principal.people & people_in(order.approvers):
                raise Conflict("you agreed already", field="id", rule="approval.once")
            approvers = (*order.approvers, "+".join(sorted(principal.people)))
            full = len(approvers) >= order.needed
            agreed = replace(
                order, approvers=approvers, state=OrderState.APPROVED if full else order.state
            )
            return self._decided(session, principal, order, agreed, "key-order.approved")

        return self._desk.store.write(unit)

    @watched("key-order.refused")
    def deny(self, principal: Principal, order_id: str, reason: str) -> KeyOrder:
        """Say no, or withdraw what one asked for."""
        bounded(reason, "reason")
        if not reason.strip():
            raise BadRequest("a denial needs a reason", field="reason", rule="denial.reason")

        def unit(session: Session) -> KeyOrder:
            own = principal.people & set(self._seen(session, principal, order_id).requested_by)
            order = self._decidable(session, principal, order_id, own=bool(own))
            denied = replace(
                order, state=OrderState.DENIED, reason=reason, closed_at=self._desk.clock.s()
            )
            return self._decided(session, principal, order, denied, "key-order.denied")

        return self._desk.store.write(unit)

    def perform(self, principal: Principal, order_id: str, secret: str = "") -> Outcome:
        """Do what others agreed to; by who asked.  *secret*: the passphrase to pack with."""
        order = self._due(principal, order_id)
        return self._do[order.action](principal, order.parameters, order, secret)

    @watched("key-order.refused")
    def _due(self, principal: Principal, order_id: str) -> KeyOrder:
        """What others agreed to and *principal* asked for, in time."""
        order = self.show(principal, order_id)
        if order.state is not OrderState.APPROVED:
            missing = order.needed - len(order.approvers)
            if order.state is OrderState.OPEN:
                raise NotPermitted(
                    f"{missing} more must agree to this first",
                    field="id",
                    rule="key.approvals",
                    remedy="`chancery key-order approve`, by somebody else",
                )
            raise _not_open(order)
        self._in_time(order)
        if principal.people != set(order.requested_by):
            raise NotPermitted(
                f"this is for {' and '.join(order.requested_by)} to carry out",
                field="id",
                rule="key-order.requester",
            )
        return order

    def _decidable(
        self, session: Session, principal: Principal, order_id: str, *, own: bool = False
    ) -> KeyOrder:
        order = self._seen(session, principal, order_id)
        if not own:
            self._desk.group(session, principal, order.group, KeyRight.APPROVE)
        if order.state is not OrderState.OPEN and not (own and order.state is OrderState.APPROVED):
            raise _not_open(order)
        self._in_time(order)
        return order

    def _in_time(self, order: KeyOrder) -> None:
        if self._desk.clock.s() >= order.expires_at:
            raise _not_open(replace(order, state=OrderState.EXPIRED))

    def _seen(self, session: Session, principal: Principal, order_id: str) -> KeyOrder:
        order = session.keys.order(order_id)
        seen = self._desk.visible(session, principal) or frozenset()
        if order is None or order.group not in seen:
            raise NotFound(
                f"nothing waits under {order_id[:64]!r} that you may see",
                field="id",
                rule="key-order.known",
                remedy="`chancery key-order list` shows what there is",
            )
        return order

    def _decided(
        self, session: Session, principal: Principal, before: KeyOrder, after: KeyOrder, told: str
    ) -> KeyOrder:
        session.keys.update_order(after, before=before)
        details = event(
            principal, told, after.id, key=after.key, wish=after.action.value,
            content=after.content, state=after.state.value, reason=after.reason,
        )  # fmt: skip
        session.audit.append([details], self._desk.clock.ms())
        return after


def _not_open(order: KeyOrder) -> WrongState:
    return WrongState(
        f"this is {order.state.value}",
        field="id",
        rule="key-order.state",
        remedy="`chancery key-order list` shows what waits",
    )
