"""Counting failures: lock-out that does not tell which accounts exist, and a quiet audit log."""

from collections import OrderedDict
from dataclasses import replace

from chancery.domain.identity import User
from chancery.services.identity.policy import IdentityPolicy


def count_failure(policy: IdentityPolicy, user: User, now: int) -> User:
    """Return *user* after one more failure at *now*, locked if that was one too many."""
    served = user.locked_until is not None and user.locked_until <= now
    failures = 1 if served else user.failed_logins + 1
    locked_until = now + policy.lock_s if failures >= policy.max_failures else None
    return replace(user, failed_logins=failures, locked_until=locked_until)


class Strangers:
    """Failures of names that do not exist, locked by the same rule as those that do.

    Otherwise the lock itself would say which names are accounts.  Bounded: the
    oldest name is forgotten first.
    """

    def __init__(self, policy: IdentityPolicy, capacity: int = 10_000) -> None:
        self._policy = policy
        self._capacity = capacity
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()  # failures, locked until

    def locked_until(self, name: str) -> int:
        """Return Unix seconds; 0 for a name that is not locked."""
        return self._known.get(name, (0, 0))[1]

    def failed(self, name: str, now: int) -> None:
        failures, until = self._known.pop(name, (0, 0))
        failures = 1 if 0 < until <= now else failures + 1
        locked = now + self._policy.lock_s if failures >= self._policy.max_failures else 0
        self._known[name] = (failures, locked)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)


class Coalescer:
    """Lets one event per key and minute through, and says how many it stands for."""

    def __init__(self, every_s: int = 60, capacity: int = 10_000) -> None:
        self._every_s = every_s
        self._capacity = capacity
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()  # last told, held back

    def count(self, key: str, now: int) -> int:
        """Return how many events to report now, this one included; 0 to keep quiet."""
        told, held = self._seen.pop(key, (0, 0))
        report = held + 1 if now - told >= self._every_s else 0
        self._seen[key] = (now, 0) if report else (told, held + 1)
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return report
