"""What happens to keys by schedule: next versions, and the end of what waited too long."""

from dataclasses import replace
from functools import partial
from typing import Final

from chancery.domain.errors import CAError, Conflict, WrongState
from chancery.domain.identity import SYSTEM
from chancery.domain.key_orders import KeyOrder, OrderState
from chancery.domain.key_states import KeyState, state_at
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.keys.desk import ENTRIES, Desk
from chancery.services.keys.making import Making

_AT_ONCE: Final = 5_000  # with those that people stopped, which stay due
_LOOKED_AT: Final = 500


class Rotation:
    """A job: idempotent, on any node; of two at once the second finds the key moved."""

    def __init__(self, desk: Desk, making: Making) -> None:
        self._desk = desk
        self._making = making

    def run(self) -> int:
        """Renew what is due; return how many.  One that fails does not keep the others waiting."""
        now = self._desk.clock.s()
        with self._desk.store.read() as session:
            due = [
                (key, self._desk.version(session, key)) for key in session.keys.due(now, _AT_ONCE)
            ]
        done, failed = 0, None
        for key, version in due:
            try:
                if state_at(version.dates, now) is not KeyState.ACTIVE:
                    continue  # somebody has stopped this key: a person must decide about it
                self._making.renew(SYSTEM, key, version, "rotation policy")
                done += 1
            except Conflict:
                continue  # another node was faster
            except CAError as error:
                failed = error
        if failed is not None:
            raise failed
        return done

    def lapse(self) -> int:
        """End agreements and entries whose time is up; components that came in are erased."""
        now = self._desk.clock.s()
        with self._desk.store.read() as session:
            orders = [
                order
                for state in (OrderState.OPEN, OrderState.APPROVED)
                for order in session.keys.orders(state, None, _LOOKED_AT)
                if order.expires_at <= now
            ]
            entries = [
                entry
                for entry in session.keys.entries(None, ENTRIES)
                if not entry.closed and entry.expires_at <= now
            ]
        for order in orders:
            try:
                self._desk.store.write(partial(self._expire, order))
            except WrongState:
                continue  # decided, or carried out, in this very moment
        for entry in entries:
            self._desk.drop_parts(SYSTEM, entry)
        return len(orders) + len(entries)

    def _expire(self, order: KeyOrder, session: Session) -> None:
        expired = replace(order, state=OrderState.EXPIRED, closed_at=self._desk.clock.s())
        session.keys.update_order(expired, before=order)
        told = event(SYSTEM, "key-order.expired", order.id, key=order.key)
        session.audit.append([told], self._desk.clock.ms())
