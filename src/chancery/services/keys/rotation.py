"""Rotation by schedule: what is due gets its next version."""

from chancery.domain.errors import CAError, Conflict
from chancery.domain.identity import SYSTEM
from chancery.domain.key_states import GONE, KeyState, state_at
from chancery.services.keys.desk import Desk
from chancery.services.keys.making import Making

_AT_ONCE = 50


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
                state = state_at(version.dates, now)
                if state in GONE or state is KeyState.SUSPENDED:
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
