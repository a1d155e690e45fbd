"""The life of a key as NIST SP 800-57 Part 1 r5 §7 tells it: dates, the state they mean, events.

A state is never stored: it is what the dates say at a moment.  So a key becomes
active, or deactivated, at its time and not when somebody looks.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest, WrongState


class KeyState(StrEnum):
    PRE_ACTIVE = "pre-active"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"
    DESTROYED_COMPROMISED = "destroyed-compromised"


class KeyEvent(StrEnum):
    """What people do to a key's state."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    DEACTIVATE = "deactivate"
    COMPROMISE = "compromise"
    DESTROY = "destroy"


class Effect(StrEnum):
    """Protecting makes something new (encrypt, sign, wrap, MAC); processing reads what there is."""

    PROTECT = "protect"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class KeyDates:
    """When things happened to a key, or are to happen; Unix seconds, None: never yet.

    *protect_stop*: from then on the key protects nothing new, though it is
    still active.  *compromise_occurred* is since when it may have been known
    to others, *compromised* when that was reported.
    """

    created: int
    activation: int | None = None
    protect_stop: int | None = None
    deactivation: int | None = None
    suspended: int | None = None
    compromise_occurred: int | None = None
    compromised: int | None = None
    destroyed: int | None = None

    def __post_init__(self) -> None:
        ends = (self.protect_stop, self.deactivation)
        for field, end in zip(("protect_stop", "deactivation"), ends, strict=True):
            if end is not None and self.activation is not None and end < self.activation:
                raise BadRequest(
                    f"the key would end ({shown(end)}) before it begins ({shown(self.activation)})",
                    field=field,
                    rule="key.dates",
                )


GONE: Final = frozenset({KeyState.DESTROYED, KeyState.DESTROYED_COMPROMISED})

_TABLE: Final[dict[KeyEvent, dict[KeyState, KeyState]]] = {
    KeyEvent.ACTIVATE: {KeyState.PRE_ACTIVE: KeyState.ACTIVE},
    KeyEvent.SUSPEND: {KeyState.ACTIVE: KeyState.SUSPENDED},
    KeyEvent.RESUME: {KeyState.SUSPENDED: KeyState.ACTIVE},
    KeyEvent.DEACTIVATE: {
        KeyState.ACTIVE: KeyState.DEACTIVATED,
        KeyState.SUSPENDED: KeyState.DEACTIVATED,
    },
    KeyEvent.COMPROMISE: {
        KeyState.PRE_ACTIVE: KeyState.COMPROMISED,
        KeyState.ACTIVE: KeyState.COMPROMISED,
        KeyState.SUSPENDED: KeyState.COMPROMISED,
        KeyState.DEACTIVATED: KeyState.COMPROMISED,
        KeyState.DESTROYED: KeyState.DESTROYED_COMPROMISED,
    },
    KeyEvent.DESTROY: {
        KeyState.PRE_ACTIVE: KeyState.DESTROYED,
        KeyState.DEACTIVATED: KeyState.DESTROYED,
        KeyState.COMPROMISED: KeyState.DESTROYED_COMPROMISED,
    },
}
_STEPS: Final = frozenset(
    (before, after) for table in _TABLE.values() for before, after in table.items()
) | {
    (KeyState.ACTIVE, KeyState.PRE_ACTIVE),  # its beginning was put off, before it was used
}
_SCHEDULED: Final = frozenset({KeyEvent.ACTIVATE, KeyEvent.DEACTIVATE})


def state_at(dates: KeyDates, now: int) -> KeyState:
    """The one reading of *dates*."""
    if dates.destroyed is not None:
        bad = dates.compromised is not None
        return KeyState.DESTROYED_COMPROMISED if bad else KeyState.DESTROYED
    if dates.compromised is not None:
        return KeyState.COMPROMISED
    if dates.deactivation is not None and dates.deactivation <= now:
        return KeyState.DEACTIVATED
    if dates.suspended is not None:
        return KeyState.SUSPENDED
    if dates.activation is not None and dates.activation <= now:
        return KeyState.ACTIVE
    return KeyState.PRE_ACTIVE


def since(dates: KeyDates, now: int) -> int:
    """Since when the key is in the state it is in."""
    found = {
        KeyState.DESTROYED: dates.destroyed,
        KeyState.DESTROYED_COMPROMISED: dates.destroyed,
        KeyState.COMPROMISED: dates.compromised,
        KeyState.DEACTIVATED: dates.deactivation,
        KeyState.SUSPENDED: dates.suspended,
        KeyState.ACTIVE: dates.activation,
        KeyState.PRE_ACTIVE: dates.created,
    }[state_at(dates, now)]
    return dates.created if found is None else found


def transition(
    dates: KeyDates, event: KeyEvent, now: int, *, at: int | None = None, what: str = "the key"
) -> KeyDates:
    """The dates after *event*: the only way a state changes.

    *at*: when it takes effect (activate, deactivate: now or later), or since
    when the key may be known to others (compromise: now or earlier).
    WrongState names the state the key is in, and since when.
    """
    table = _TABLE[event]
    state = state_at(dates, now)
    if state not in table:
        raise WrongState(
            f"{what} is {state.value} since {shown(since(dates, now))}:"
            f" {event.value} is possible only where it is {' or '.join(table)}",
            field="state",
            rule=f"key.{event.value}",
            remedy=_REMEDIES.get((event, state), "`chancery key show` tells its states and dates"),
        )
    moment = now if at is None else at
    if event in _SCHEDULED and moment < now:
        raise BadRequest(
            f"{shown(moment)} is past", field="at", rule="key.at", remedy="give a time to come"
        )
    if event is KeyEvent.COMPROMISE and moment > now:
        raise BadRequest(
            f"{shown(moment)} is still to come", field="at", rule="key.at", remedy="say since when"
        )
    match event:
        case KeyEvent.ACTIVATE:
            return replace(dates, activation=moment, protect_stop=_moved_with(dates, moment))
        case KeyEvent.SUSPEND:
            return replace(dates, suspended=now)
        case KeyEvent.RESUME:
            return replace(dates, suspended=None)
        case KeyEvent.DEACTIVATE:
            stop = moment if dates.protect_stop is None else min(dates.protect_stop, moment)
            return replace(dates, deactivation=moment, protect_stop=stop)
        case KeyEvent.COMPROMISE:
            return replace(dates, compromised=now, compromise_occurred=moment)
        case KeyEvent.DESTROY:
            return replace(dates, destroyed=now)


def _moved_with(dates: KeyDates, activation: int) -> int | None:
    """The end of protecting, as far behind the new beginning as it was behind the old one."""
    if dates.protect_stop is None or dates.activation is None:
        return dates.protect_stop
    return dates.protect_stop + activation - dates.activation


def check_step(before: KeyDates, after: KeyDates, now: int) -> None:
    """Raise WrongState unless one event leads from *before* to *after*.

    What the signer asks of dates that come from outside: the same state again
    (with other dates to come) is no step, what has happened stays as it is.
    """
    old, new = state_at(before, now), state_at(after, now)
    rewritten = before.created != after.created or any(
        was is not None and was != then
        for was, then in (
            (before.destroyed, after.destroyed),
            (before.compromised, after.compromised),
        )
    )
    if rewritten or (old is not new and (old, new) not in _STEPS):
        raise WrongState(
            f"the key is {old.value} since {shown(since(before, now))} and cannot be {new.value}",
            field="state",
            rule="key.step",
            remedy="`chancery key show` tells its states and dates",
        )


def demand_state(
    dates: KeyDates, effect: Effect, now: int, *, despite: bool = False, what: str = "the key"
) -> None:
    """Raise WrongState unless the key may be used for *effect* now; it names state and date.

    *despite*: somebody has decided, on record, to read what a suspended or
    compromised key protects.
    """
    state = state_at(dates, now)
    if effect is Effect.PROTECT:
        stop = dates.protect_stop
        if state is KeyState.ACTIVE and (stop is None or now < stop):
            return
        if state is KeyState.ACTIVE and stop is not None:
            raise WrongState(
                f"{what} is active, but protects nothing new since {shown(stop)}",
                field="key",
                rule="key.protect-stop",
                remedy="rotate it: `chancery key rotate`",
            )
    else:
        usable = {KeyState.ACTIVE, KeyState.DEACTIVATED}
        if despite:
            usable |= {KeyState.SUSPENDED, KeyState.COMPROMISED}
        if state in usable:
            return
    raise WrongState(
        f"{what} is {state.value} since {shown(since(dates, now))}: it may not {effect.value}",
        field="key",
        rule=f"key.{state.value}",
        remedy=_USES.get(state),
    )


def shown(instant: int) -> str:
    """Unix seconds as people write them."""
    if not 0 <= instant <= _LAST:
        return f"{instant} s"
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


_LAST: Final = 253_402_300_799  # the end of the year 9999
_REMEDIES: Final = {
    (KeyEvent.DESTROY, KeyState.ACTIVE): "deactivate it first: `chancery key deactivate`",
    (KeyEvent.DESTROY, KeyState.SUSPENDED): "deactivate it first: `chancery key deactivate`",
}
_USES: Final = {
    KeyState.PRE_ACTIVE: "activate it: `chancery key activate`",
    KeyState.SUSPENDED: "resume it: `chancery key resume`; or, to read, say so and why",
    KeyState.DEACTIVATED: "rotate it: `chancery key rotate`",
    KeyState.COMPROMISED: "rotate it; to read what it protects, say so and why",
}
