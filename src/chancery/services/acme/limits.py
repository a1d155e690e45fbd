"""How often an account or an address may, per door: token buckets in memory."""

import threading
from typing import Final

from chancery.domain.door import Door
from chancery.domain.errors import TooOften
from chancery.ports import Clock
from chancery.services.portal.buckets import Buckets
from chancery.services.portal.policy import Rate

_BURST: Final = 10
"""The hour's allowance over this may be taken at once; at least as many as this."""


class Limits:
    """Rates count per process, as those of the portal do."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, int], Buckets] = {}

    def take(self, door: Door, what: str, per_hour: int, key: str) -> None:
        """Count one; TooOften says when the next is allowed."""
        try:
            self._of(door, what, per_hour).take(key)
        except TooOften as error:
            raise TooOften(
                f"too many {what} in too short a time",
                field=what,
                rule="acme.rate",
                remedy=error.remedy,
                retry_after_s=error.retry_after_s,
            ) from None

    def give_back(self, door: Door, what: str, per_hour: int, key: str) -> None:
        """It turned out to be harmless."""
        self._of(door, what, per_hour).give_back(key)

    def _of(self, door: Door, what: str, per_hour: int) -> Buckets:
        key = (door.name, what, per_hour)
        with self._lock:
            found = self._buckets.get(key)
            if found is None:
                rate = Rate(burst=min(per_hour, max(_BURST, per_hour // 4)), per_hour=per_hour)
                found = self._buckets[key] = Buckets(rate, self._clock, what)
            return found
