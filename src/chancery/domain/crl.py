"""CRLs of one key of an authority: which there are, what they are called, and who is in which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DELTA: Final = "delta"
CAS: Final = "ca"
INDIRECT: Final = "indirect"
MAX_SHARDS: Final = 256
MAX_PARTITIONS: Final = 8
SHARD: Final = "{shard}"
"""Stands for the shard of a certificate in the URL of its CRL."""
LISTED: Final = "{indirect}"
"""Stands, among the CRLs that a certificate points to, for those of other CAs that list it."""
SPREAD: Final = 1 << 16  # the last digits of a serial are random, the first may be a time


class CrlTrigger(StrEnum):
    """What a revocation brings about at once beside the shards it falls into.

    Everything else comes by its schedule.
    """

    ALL = "all"
    DELTA = "delta"


class Due(StrEnum):
    """Why CRLs are made now."""

    ALL = "all"  # their day has come, or every one was asked for
    REVOKED = "revoked"  # somebody's status changed
    DELTA = "delta"  # the delta's day has come


@dataclass(frozen=True, slots=True)
class CrlList:
    """The newest CRL of one name.

    *name* is part of its URL: ``label``, ``label/delta``, ``label/3`` ...
    *base* is the number a delta adds to.  *seq*: the audit log's size when its
    entries were read; what changed later carries a higher number.
    """

    name: str
    authority: str
    number: int
    this_update: int
    next_update: int
    entries: int
    sha256: str
    size: int
    base: int | None = None
    seq: int = 0

    @property
    def label(self) -> str:
        """Of the key that signed it."""
        return self.name.partition("/")[0]

    @property
    def part(self) -> str:
        """What stands after the label; "" of a full CRL."""
        return self.name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Entries:
    """Encoded entries, joined in pieces of some size."""

    count: int
    parts: tuple[bytes, ...]


def list_name(label: str, part: str) -> str:
    """``label`` for the full CRL, else ``label/part``."""
    return f"{label}/{part}" if part else label


def shard_of(serial: str, shards: int) -> int:
    """Which of *shards* a certificate belongs to: the same for ever."""
    return int(serial[-4:], 16) % shards  # serial % SPREAD % shards


def shard_part(generation: int, index: int) -> str:
    """Name of a shard: ``3``, and ``3.2`` after the CA was partitioned anew."""
    return str(index) if generation == 1 else f"{index}.{generation}"


def partitions(shards: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(generation, number of shards) of each partition that certificates may point to."""
    return ((at, count) for at, count in enumerate(shards, 1) if count)


def current_partition(shards: Sequence[int]) -> tuple[int, int] | None:
    """(generation, number of shards) for certificates to come; None: they have no shard."""
    return (len(shards), shards[-1]) if shards and shards[-1] else None
