"""How often somebody may: token buckets in memory, one number each (GCRA)."""

import ipaddress
import threading
from collections import OrderedDict
from typing import Final

from chancery.domain.errors import TooOften
from chancery.ports import Clock
from chancery.services.portal.policy import Rate

_CAPACITY: Final = 50_000
"""Addresses that are remembered; the one not seen for longest is forgotten first."""
_HOUR_MS: Final = 3_600_000
_SITE: Final = 64
"""Bits of an IPv6 address that its owner does not choose freely (RFC 6177)."""


def source(origin: str) -> str:
    """What counts as one source: an IPv4 address, the /64 of an IPv6 address."""
    plain, via, gateway = origin.partition(" via ")
    if via:
        return f"{source(plain)} via {gateway}"
    try:
        address = ipaddress.ip_address(origin.partition("%")[0])
    except ValueError:
        return origin
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _SITE), strict=False))
    return str(address)


class Buckets:
    """One bucket per source, full at first.  Safe for concurrent use."""

    def __init__(self, rate: Rate, clock: Clock, what: str) -> None:
        """*what* says in the refusal what there were too many of."""
        self._rate = rate
        self._clock = clock
        self._what = what
        self._interval_ms = _HOUR_MS / rate.per_hour
        self._lock = threading.Lock()
        # When the bucket will be full again, Unix milliseconds: all that GCRA needs to know.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, origin: str, count: int = 1) -> None:
        """Take *count* tokens; TooOften, taking none, where so many are not there."""
        key, now = source(origin), self._clock.ms()
        with self._lock:
            full_at = max(self._full_at.get(key, 0), now) + count * self._interval_ms
            excess_ms = full_at - now - self._rate.burst * self._interval_ms
            if excess_ms <= 0:
                self._remember(key, full_at)
                return
        wait_s = int(excess_ms // 1000) + 1
        raise TooOften(
            f"too many {self._what} from your network address",
            field="origin",
            rule="rate",
            remedy=f"try again in {_spoken(wait_s)}",
            retry_after_s=wait_s,
        )

    def give_back(self, origin: str, count: int = 1) -> None:
        """Undo a ``take`` that turned out to be harmless."""
        key = source(origin)
        with self._lock:
            if key in self._full_at:
                self._full_at[key] -= count * self._interval_ms

    def _remember(self, key: str, full_at: float) -> None:
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > _CAPACITY:
            self._full_at.popitem(last=False)


def _spoken(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{-(-seconds // 60)} minutes"
