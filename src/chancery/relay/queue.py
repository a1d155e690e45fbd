"""What was taken in while the centre was away: on disk before anybody is told so.

Each entry is one file.  It is written beside its place, synced, and renamed;
so after any crash it is there whole or not at all.  ``waiting/`` goes out in
the order it came in; ``ended/`` tells for a while what became of it, without
what was sent.
"""

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from chancery.domain.errors import BadRequest, TooOften, Unavailable
from chancery.settings_gateway import Queue as Bounds

_DRAFT: Final = ".draft"


@dataclass(frozen=True, slots=True)
class Entry:
    """Submissions that came together.  *items* are bodies for ``POST /api/v1/requests``.

    *mark* and *content* know a repetition under one Idempotency-Key.  *results*
    says for each item, once the centre has spoken, ``{"id": ...}`` or
    ``{"error": {...}}``.  *at* and *ended_at* are Unix seconds.
    """

    code: str
    at: int
    address: str
    items: tuple[Mapping[str, Any], ...]
    authorization: str | None = None
    key: str | None = None  # the client's Idempotency-Key
    mark: str = ""
    content: str = ""
    seq: int = 0
    results: tuple[Mapping[str, Any], ...] = ()
    ended_at: int | None = None

    @property
    def state(self) -> str:
        if self.ended_at is None:
            return "queued"
        return "refused" if any("error" in one for one in self.results) else "delivered"

    def told(self) -> dict[str, Any]:
        """What its submitter may read."""
        return {
            "receipt": self.code,
            "state": self.state,
            "received_at": self.at,
            "ended_at": self.ended_at,
            "requests": [one["id"] for one in self.results if "id" in one],
            "refused": [one["error"] for one in self.results if "error" in one],
        }


@dataclass(slots=True)
class _Place:
    """Where an entry is, and what is counted of it."""

    path: Path
    address: str
    octets: int
    waiting: bool
    refused: bool
    mark: str


class Queue:
    """Of one process; safe for concurrent use."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.directory: Final = bounds.directory
        self._waiting = bounds.directory / "waiting"
        self._ended = bounds.directory / "ended"
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}  # by the hash of the code
        self._marks: dict[str, str] = {}  # (authorization, Idempotency-Key), hashed, to a code
        self._order: list[str] = []
        self._next = 1
        self._open()

    def take(self, entry: Entry) -> Entry:
        """Keep *entry* for good, or raise why not; one known by its Idempotency-Key comes back."""
        with self._lock:
            entry = replace(entry, mark=_mark(entry), content=_content(entry), seq=self._next)
            if (known := self._marks.get(entry.mark)) is not None:
                found = self._read(self._places[digest(known)].path)
                if found.content != entry.content:
                    raise BadRequest(
                        "this Idempotency-Key was used for another request",
                        field="idempotency-key",
                        rule="idempotency.reuse",
                        remedy="make a new key for each request",
                    )
                return found
            data = _encode(entry)
            self._refuse_too_much(entry, len(data))
            path = self._waiting / f"{entry.seq:016d}.json"
            _write(path, data)
            self._next += 1
            self._remember(entry, path, len(data))
            return entry

    def find(self, code: str) -> Entry | None:
        """The entry with that receipt; None where it never came here, or is forgotten."""
        with self._lock:
            place = self._places.get(digest(code))
            return self._read(place.path) if place is not None else None

    def first(self, skip: Iterable[str] = ()) -> Entry | None:
        """The oldest that waits, without those with a receipt in *skip*."""
        passed = {digest(code) for code in skip}
        with self._lock:
            for one in self._order:
                if one not in passed:
                    return self._read(self._places[one].path)
        return None

    def end(self, entry: Entry, results: Sequence[Mapping[str, Any]], now: int) -> Entry:
        """Put down what became of it.  What was sent, and by whose token, is forgotten."""
        ended = replace(entry, items=(), authorization=None, results=tuple(results), ended_at=now)
        with self._lock:
            place = self._places[digest(entry.code)]
            data = _encode(ended)
            path = self._ended / place.path.name
            _write(path, data)
            place.path.unlink()  # not synced: what comes back is known at the centre by its code
            self._order.remove(digest(entry.code))
            self._remember(ended, path, len(data))
        return ended

    def forget(self, now: int) -> int:
        """Drop what ended so long ago that nobody needs to know; say how many."""
        before = now - int(self._bounds.kept.total_seconds())
        dropped = 0
        with self._lock:
            for one, place in list(self._places.items()):
                if place.waiting or (self._read(place.path).ended_at or now) > before:
                    continue
                place.path.unlink(missing_ok=True)
                del self._places[one]
                self._marks.pop(place.mark, None)
                dropped += 1
        return dropped

    @property
    def waiting(self) -> int:
        return len(self._order)

    def refused(self) -> int:
        """How many ended with a reason that their submitter has to read."""
        with self._lock:
            return sum(place.refused for place in self._places.values())

    def fault(self) -> str | None:
        """Why nothing more can be taken in, if so."""
        if self.waiting >= self._bounds.entries:
            return f"full: {self.waiting} wait"
        if not os.access(self._waiting, os.W_OK):
            return f"{self._waiting} cannot be written to"
        return None

    # On disk

    def _open(self) -> None:
        """Read what a former process left; drafts were never promised to anybody."""
        for directory in (self._bounds.directory, self._waiting, self._ended):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self._ended, self._waiting):
            for path in sorted(directory.iterdir()):
                if path.suffix == _DRAFT:
                    path.unlink()
                    continue
                entry = self._read(path)
                known = self._places.get(digest(entry.code))
                if known is not None:  # it had ended, and the process too, before this was removed
                    path.unlink()
                    continue
                self._remember(entry, path, path.stat().st_size)
                self._next = max(self._next, entry.seq + 1)

    def _remember(self, entry: Entry, path: Path, octets: int) -> None:
        name, waiting = digest(entry.code), entry.ended_at is None
        refused = entry.state == "refused"
        self._places[name] = _Place(path, entry.address, octets, waiting, refused, entry.mark)
        if waiting:
            self._order.append(name)
        if entry.mark:
            self._marks[entry.mark] = entry.code

    def _refuse_too_much(self, entry: Entry, octets: int) -> None:
        waiting = [place for place in self._places.values() if place.waiting]
        if len(waiting) >= self._bounds.entries or (
            sum(place.octets for place in waiting) + octets > self._bounds.octets
        ):
            raise Unavailable(
                "the central instance is away, and what waits for it fills the room there is",
                rule="queue.full",
                remedy="try again when the central instance is back",
            )
        if Counter(place.address for place in waiting)[entry.address] >= self._bounds.per_address:
            raise TooOften(
                "too many requests from your network address wait already",
                field="origin",
                rule="queue.per-address",
                remedy="try again when the central instance is back",
                retry_after_s=600,
            )

    @staticmethod
    def _read(path: Path) -> Entry:
        found = json.loads(path.read_text())
        found["items"], found["results"] = tuple(found["items"]), tuple(found["results"])
        return Entry(**found)


def digest(code: str) -> str:
    """By what an entry is found: the receipt itself is no name of a file."""
    return hashlib.sha256(code.encode()).hexdigest()


def _mark(entry: Entry) -> str:
    """What two attempts of one client have in common; "" where it gave no key."""
    if entry.key is None or entry.authorization is None:
        return ""
    return hashlib.sha256(f"{entry.authorization}\0{entry.key}".encode()).hexdigest()


def _content(entry: Entry) -> str:
    return hashlib.sha256(json.dumps(entry.items).encode()).hexdigest()


def _encode(entry: Entry) -> bytes:
    return json.dumps(asdict(entry)).encode()


def _write(path: Path, data: bytes) -> None:
    """Durable once this returns; Unavailable, and nothing left behind, where the disk is full."""
    draft = path.with_suffix(_DRAFT)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Unavailable(
            f"the queue cannot be written to: {error.strerror}",
            rule="queue.disk",
            remedy="try again later; the operators of this host see the reason in its log",
        ) from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
