"""Where files for relying parties have got to, and how they look from outside."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Publication:
    """One file at one publisher.  *sha256* None: it has never been put there.

    *attempts* failed one after another, the last with *error*; the next is at *next_at*.
    """

    publisher: str
    file: str
    sha256: str | None
    published_at: int | None
    attempts: int
    error: str | None
    next_at: int


class Sight(StrEnum):
    GOOD = "good"
    LATE = "late"  # past half of its life
    EXPIRED = "expired"
    WRONG = "wrong"  # another CA's, not signed, or no CRL at all
    AWAY = "away"  # the URL does not answer


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was found at a published URL; *since* when it has been in this state."""

    url: str
    authority: str
    name: str
    state: Sight
    said: str
    number: int | None
    this_update: int | None
    next_update: int | None
    seen_at: int
    since: int
