"""What people are told of a key before it happens: its next version, and the end of its time."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.key_states import KeyDates, KeyState, state_at
from chancery.domain.managed_key import KeyVersion, ManagedKey

_DAY_S: Final = 86_400
_LATE_S: Final = 3_600  # the job that rotates comes every half minute
_RUNNING: Final = frozenset({KeyState.PRE_ACTIVE, KeyState.ACTIVE, KeyState.SUSPENDED})


class NoticeKind(StrEnum):
    ROTATION = "rotation"
    END = "end"


@dataclass(frozen=True, slots=True)
class KeyNotice:
    """*at*: when it is to happen (Unix seconds); *late*: it should have, and did not."""

    kind: NoticeKind
    key: ManagedKey
    version: int
    state: KeyState
    at: int
    late: bool


def ends_at(dates: KeyDates) -> int | None:
    """When a version stops protecting, as its dates say."""
    ends = [end for end in (dates.protect_stop, dates.deactivation) if end is not None]
    return min(ends, default=None)


def looked_at(key: ManagedKey, dates: KeyDates) -> int | None:
    """From when on there may be something to tell of *key*; *dates* are its current version's."""
    if dates.destroyed is not None or dates.compromised is not None:
        return None
    moments = [at for at in (key.rotates_at, ends_at(dates)) if at is not None]
    return min(moments) - key.rotation.warn * _DAY_S if moments else None


def notices(key: ManagedKey, current: KeyVersion, now: int) -> Iterator[KeyNotice]:
    """Yield what is to be told now, ``rotation.warn`` days before it happens.

    An end that a rotation comes before is told only where that did not come:
    somebody stopped the key, or the vault is away.
    """
    state = state_at(current.dates, now)
    if state not in _RUNNING:
        return
    lead = key.rotation.warn * _DAY_S
    rotates, ends = key.rotates_at, ends_at(current.dates)
    late = rotates is not None and now >= rotates + _LATE_S
    if rotates is not None and now >= rotates - lead:
        yield KeyNotice(NoticeKind.ROTATION, key, current.number, state, rotates, late)
    if ends is None or now < ends - lead:
        return
    if rotates is None or rotates > ends or late:
        yield KeyNotice(NoticeKind.END, key, current.number, state, ends, now >= ends)
