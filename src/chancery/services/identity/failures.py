"""Counting failures: lock-out that does not tell which accounts exist, and a quiet audit log."""

import hashlib
from collections import OrderedDict
from dataclasses import replace

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.directory_names import folded
from chancery.domain.errors import LockedOut, NotAuthenticated
from chancery.domain.identity import User
from chancery.ports import Clock, Session, Store
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


class Failures:
    """Puts what did not open an account on record, and counts it."""

    def __init__(self, store: Store, clock: Clock, policy: IdentityPolicy) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._quiet = Coalescer()
        self.strangers = Strangers(policy)

    def failed(
        self, user: User | None, name: str, origin: str, now: int, away: str
    ) -> NotAuthenticated:
        # Whatever spelling is tried next: it is locked, or not, as that of nobody would be.
        self.strangers.failed(folded(name), now)
        # Both ways end in one durable commit: a name must not show in the time either.
        if user is None:
            self._store.write(lambda s: self._record(s, "unknown", "password", origin, 1, name))
        else:
            self._store.write(lambda s: self.count(s, user.name, "password", origin))
        return wrong_password(away)

    def count(
        self, session: Session, name: str, method: str, origin: str, *, rule: str = ""
    ) -> None:
        """Put one more failure of an account on record; lock it if that was one too many."""
        user = session.identities.user(name)
        if user is None:
            return
        now = self._clock.s()
        counted = count_failure(self._policy, user, now)
        session.identities.update_user(counted)
        details: dict[str, object] = {"failures": counted.failed_logins}
        if rule:
            details["rule"] = rule
        events = [AuditEvent("login.failed", name, method, origin, name, Outcome.FAILURE, details)]
        if counted.locked_until is not None and counted.locked_until > now:
            until = {"until": counted.locked_until}
            events.append(AuditEvent("account.locked", name, method, origin, name, details=until))
        session.audit.append(events, self._clock.ms())

    def locked(self, name: str, origin: str, now: int) -> LockedOut:
        self.tell("password", origin, "locked", now, name)
        return locked_out()

    def tell(
        self, method: str, origin: str, who: str, now: int, name: str = "", *, rule: str = ""
    ) -> None:
        """Audit a failure that costs the attacker nothing: once a minute, with a count."""
        if report := self._quiet.count(f"{method}|{origin}|{who}|{name}|{rule}", now):
            self._store.write(lambda s: self._record(s, who, method, origin, report, name, rule))

    def _record(
        self,
        session: Session,
        who: str,
        method: str,
        origin: str,
        attempts: int,
        name: str,
        rule: str = "",
    ) -> None:
        details: dict[str, object] = {"attempts": attempts}
        if rule:
            details["rule"] = rule
        if name:  # as a hash: people type their password where the name belongs
            details["name_sha256"] = sha256_of(name).hex()
        event = AuditEvent("login.failed", who, method, origin, who, Outcome.FAILURE, details)
        session.audit.append([event], self._clock.ms())


def sha256_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def wrong_password(away: str = "") -> NotAuthenticated:
    """The answer to every name that fails; *away* is a directory that might know it."""
    if away:
        return NotAuthenticated(
            f"the name or the password is wrong; or the directory {away} knows them,"
            " which does not answer now",
            field="authorization",
            rule="password",
            remedy="try again later; local accounts work meanwhile",
        )
    return NotAuthenticated(
        "the name or the password is wrong", field="authorization", rule="password"
    )


def code_missing() -> NotAuthenticated:
    """The answer to a right password that is not enough."""
    return NotAuthenticated(
        "this account has a second factor: the password alone is not enough",
        field="code",
        rule="second-factor",
        remedy="send a code of your app along (--code-file), or use an API token",
    )


def locked_out() -> LockedOut:
    """The answer to whoever has failed too often."""
    return LockedOut(
        "too many failures: this name waits before it may try again",
        field="authorization",
        rule="FIA_AFL.1",
        remedy="wait, or ask an administrator to unlock the account",
    )
