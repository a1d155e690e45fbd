"""What is on record of components on their way in or out; never what they are."""

from dataclasses import dataclass, field

import msgspec

from chancery.domain.managed_key import KeyKind
from chancery.ports_keys import KeyEntry
from chancery.services.keys.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Content:
    """What an entry's document holds: *parts* maps a number to who holds or brought it.

    *seen* are the numbers that are in, or were taken; *values* their check values.
    """

    kind: KeyKind
    wanted: Wanted | None = None
    parts: dict[str, str] = field(default_factory=dict)
    seen: tuple[int, ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    combined: str = ""


@dataclass(frozen=True, slots=True)
class EntryView:
    entry: KeyEntry
    content: Content


def view_of(entry: KeyEntry) -> EntryView:
    """An entry with its document read."""
    return EntryView(entry, msgspec.json.decode(entry.document.encode(), type=Content))
