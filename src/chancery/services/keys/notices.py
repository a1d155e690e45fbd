"""Keys that are about to be renewed, or whose time is about to end."""

from collections.abc import Iterator
from typing import Final

from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_notices import KeyNotice, notices
from chancery.ports import Session
from chancery.services.keys.desk import Desk

_MOST: Final = 500
"""Keys looked at, the latest to come into view first."""


class Notices:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def due(self, principal: Principal) -> list[KeyNotice]:
        """What is to be told of the keys that *principal* may manage, soonest first."""
        with self._desk.store.read() as session:
            managed = {
                group.name
                for group in session.keys.groups()
                if KeyRight.MANAGE in self._desk.effective(principal, group)
            }
            found = [
                one for one in noticed(session, self._desk.clock.s()) if one.key.group in managed
            ]
        return sorted(found, key=lambda one: (one.at, one.key.name))


def noticed(session: Session, now: int) -> Iterator[KeyNotice]:
    """Yield what is to be told of any key."""
    for key in session.keys.in_view(now, _MOST):
        current = session.keys.version(key.id, key.current)
        if current is not None:
            yield from notices(key, current, now)
