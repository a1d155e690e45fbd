"""What CRLs need from the record, and publication from the places it goes to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.authority import CrlRecord
from chancery.domain.crl import CrlList, Entries
from chancery.domain.publication import Publication, Sighting


class CrlLists(Protocol):
    """Entries of CRLs, encoded; and the CRLs in force, whole."""

    def entries(self, authority: str, unexpired_at: int) -> Entries:
        """Every revoked or held certificate of one issuer that had not expired then."""
        ...

    def sharded(
        self, authority: str, unexpired_at: int, partitions: Sequence[int]
    ) -> list[list[Entries]]:
        """The same by shard, for each partition (its number of shards)."""
        ...

    def shard(self, authority: str, unexpired_at: int, shards: int, index: int) -> Entries:
        """One of them."""
        ...

    def changed_serials(self, authority: str, seq: int, most: int) -> list[tuple[str, int]]:
        """Whose status changed since the audit log had *seq* leaves, and how many it had then."""
        ...

    def changed(self, authority: str, unexpired_at: int, seq: int) -> Entries:
        """What changed since the audit log had *seq* leaves, lifted holds as removals."""
        ...

    def of_cas(self, authority: str, unexpired_at: int) -> Entries:
        """CA certificates alone."""
        ...

    def put(self, item: CrlList, der: bytes) -> None:
        """Replace the list of that name; Conflict if its number is not above."""
        ...

    def get(self, name: str) -> CrlList | None: ...
    def der(self, name: str) -> bytes | None: ...
    def of(self, authority: str) -> list[CrlList]:
        """Those in force, by name."""
        ...

    def drop(self, name: str) -> None:
        """Forget a list that is no longer made."""
        ...

    def issued_before(self, label: str, authority: str, at: int) -> CrlRecord | None:
        """The last full CRL of a key no younger than *at*, or else its first; without octets."""
        ...

    def forget_lifted(self, authority: str, before_seq: int) -> None:
        """Forget lifted holds that no delta needs to tell of any more."""
        ...


class Publications(Protocol):
    """How far each publisher is with each file, and what the watchdog saw."""

    def all(self) -> list[Publication]: ...
    def put(self, item: Publication) -> None: ...
    def drop(self, publisher: str, file: str) -> None: ...
    def keep(self, publishers: Sequence[str]) -> None:
        """Forget publishers that are no longer set."""
        ...

    def sightings(self) -> list[Sighting]: ...
    def saw(self, item: Sighting) -> None: ...
    def forget(self, urls: Sequence[str]) -> None:
        """Forget URLs that are no longer watched."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """The content of a URL.  *tag* tells whether it has changed when asked again."""

    data: bytes
    tag: str | None


Fetch = Callable[[str, str | None], Fetched | None]
"""Fetches a URL; None if it is what it was under that tag; raises Unavailable."""


class Destination(Protocol):
    """A place where files are put besides the directory of this machine."""

    name: str

    def takes(self, file: str) -> bool:
        """Whether *file* (``crl/web.crl``, ``ca/web.cer``) belongs there."""
        ...

    def put(self, file: str, data: bytes, *, max_age_s: int) -> None:
        """Replace it, whole or not at all; Unavailable if that is not possible now."""
        ...

    def remove(self, file: str) -> None:
        """Take it away, if it is there: nobody makes it any more."""
        ...
