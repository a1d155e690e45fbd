"""The signer's journal: on disk before a signature leaves, and the memory of every serial.

Callers of ``append`` that come together share one write and one fdatasync
(group commit): the first of them writes for all, a caller alone does not wait.
The newest segment is verified at start and indexed in memory; each older one
has a sorted index file beside it, mapped into memory.  A look-up costs 3 us
and 0.4 us more per closed segment; memory 100 octets per certificate in the
newest segment and 12 (which the kernel may drop) in older ones.
"""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from chancery.domain.errors import Unavailable
from chancery.signer import files, journal_errors, journal_format
from chancery.signer.group_commit import GroupCommit
from chancery.signer.journal_format import (
    GENESIS,
    MAX_PAYLOAD,
    Broken,
    Draft,
    JournalEntry,
    Operation,
    Torn,
    read,
)
from chancery.signer.journal_index import SealedSegment, fingerprint

__all__ = ["Broken", "Draft", "Journal", "JournalEntry", "Operation", "read"]

SEGMENT_OCTETS: Final = 32 * 1024 * 1024
"""A segment is closed when it reaches this size.

Some 100,000 certificates: 0.3 s to verify at start and 10 MB of index.
"""
MAX_CLOCK_STEP_MS: Final = 300_000
"""How far the clock may fall behind the newest record before signing stops (C24)."""

_IDENTITY: Final = ""  # its place among the checkpoints: no key has an empty id
_INDEXED: Final = frozenset({Operation.CERTIFICATE, Operation.CA_CERTIFICATE})


class Journal:
    """An open journal; one process at a time.  Safe for concurrent use by its threads."""

    def __init__(
        self,
        directory: Path,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        segment_octets: int = SEGMENT_OCTETS,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Verify the newest segment and take the journal over.

        *lost* is called once the disk no longer tells what it holds: only a new
        process, which reads the file again, can go on.

        Raises Unavailable if another process has it, or if it was altered.
        """
        self._directory = directory
        self._now_ms = now_ms
        self._segment_octets = segment_octets
        self._group = GroupCommit(self._commit)
        self._failed: Unavailable | None = None
        self._lost = lost
        self._file: int | None = None
        self._size = 0
        self._live: tuple[Path, dict[int, int]] = (directory, {})
        self._sealed: list[SealedSegment] = []
        self._seq, self._prev, self._time_ms = 0, GENESIS, 0
        self._checkpoints: dict[str, str] = {}
        self.truncated = 0
        """Octets of an incomplete last record that this start removed."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.check_directory(directory)
        self._held = files.hold(directory / "lock")
        if self._held is None:
            raise journal_errors.in_use()
        try:
            self._recover()
        except Broken as flaw:
            self._release()
            raise journal_errors.broken(flaw) from None
        except BaseException:
            self._release()
            raise

    def append(self, drafts: Sequence[Draft]) -> None:
        """Put entries on record, in order.  Returns once they are durable.

        Raises Unavailable if they are not.  Then none of them is on record;
        only after a failed sync may some be, and nothing more is taken until a
        restart has read the file again.
        """
        if drafts:
            self._group.submit(drafts)

    def signed(self, key_id: str, serial: str) -> bool:
        """Whether a certificate with this serial is on record.

        Compares 64-bit fingerprints, so it may say yes wrongly, once in 10^12
        serials when 10^7 are on record: the caller then takes another serial.
        """
        return self.knows(fingerprint(key_id, serial))

    def knows(self, mark: int) -> bool:
        """``signed``, for who has the fingerprint already."""
        return mark in self._live[1] or any(mark in one for one in self._sealed)

    def find(self, key_id: str, serial: str) -> JournalEntry | None:
        """The record of one certificate, or None."""
        wanted = fingerprint(key_id, serial)
        path, offsets = self._live
        found = offsets.get(wanted)
        places = [(path, found)] if found is not None else []
        places += [(one.path, at) for one in self._sealed for at in one.offsets(wanted)]
        for place, at in places:
            entry = _entry_at(place, at)
            if entry.key_id == key_id and entry.serial == serial and entry.operation in _INDEXED:
                return entry
        return None

    def checkpoint(self, key_id: str) -> str | None:
        """The last checkpoint a key signed, as ``origin size root`` one a line; None if none."""
        return self._checkpoints.get(key_id)

    @property
    def checkpoint_keys(self) -> int:
        """How many keys have signed checkpoints: each segment begins with the last of each."""
        return len(self._checkpoints) - 1

    @property
    def identity(self) -> str:
        """Hex chosen when the journal was begun."""
        return self._checkpoints.get(_IDENTITY, "")

    @property
    def head(self) -> tuple[int, bytes]:
        """(number of records, digest of the last)."""
        return self._seq, self._prev

    def close(self) -> None:
        """Finish what is being written and refuse the rest."""
        self._failed = Unavailable("the signer is stopping", rule="signer.stopping")
        self._group.settle()
        self._release()

    def _release(self) -> None:
        for descriptor in (self._file, self._held):
            if descriptor is not None:
                os.close(descriptor)
        self._file = None
        for one in self._sealed:
            one.close()

    # -- writing: only ever by the one caller that holds the turn --

    def _commit(self, drafts: Sequence[Draft]) -> None:
        if self._failed:
            raise self._failed
        now_ms = self._now_ms()
        if now_ms < self._time_ms - MAX_CLOCK_STEP_MS:
            raise journal_errors.clock_behind()
        now_ms = max(now_ms, self._time_ms)
        seq, prev, at = self._seq, self._prev, self._size
        places: list[tuple[Draft, int]] = []
        buffer = bytearray()
        for draft in drafts:
            record, digest = journal_format.encode(draft.placed(seq, prev, now_ms))
            if len(record) > MAX_PAYLOAD:
                raise Unavailable("an entry too long for the journal", rule="journal.record")
            places.append((draft, at + len(buffer)))
            buffer += record
            seq, prev = seq + 1, digest
        self._write(buffer)
        self._seq, self._prev, self._time_ms = seq, prev, now_ms
        self._size = at + len(buffer)
        for draft, offset in places:
            self._note(draft.operation, draft.key_id, draft.serial, draft.detail or {}, offset)
        if self._size >= self._segment_octets:
            self._rotate()

    def _write(self, buffer: bytearray) -> None:
        """Write and sync, or leave the file as it was."""
        assert self._file is not None
        try:
            done = 0
            view = memoryview(buffer)
            while done < len(view):
                done += os.pwrite(self._file, view[done:], self._size + done)
        except OSError as error:
            self._undo()
            raise journal_errors.unwritable(error) from None
        try:
            os.fdatasync(self._file)
        except OSError as error:
            # The kernel may have dropped the pages and will report success next
            # time, so what is on disk is unknown until the file is read again.
            raise self._lose(error) from None

    def _undo(self) -> None:
        assert self._file is not None
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> Unavailable:
        """What is on disk is unknown from here on: nothing more is signed by this process."""
        self._failed = journal_errors.unwritable(error)
        self._lost()
        return self._failed

    def _note(
        self,
        operation: Operation,
        key_id: str,
        serial: str,
        detail: Mapping[str, str],
        offset: int,
    ) -> None:
        """Remember what later decisions need of an entry that is on record."""
        if operation in _INDEXED:
            self._live[1][fingerprint(key_id, serial)] = offset
        elif operation is Operation.CHECKPOINT:
            self._checkpoints[key_id] = detail["checkpoint"]
        elif operation is Operation.SEGMENT:
            self._checkpoints.update(detail)

    def _rotate(self) -> None:
        """Close the segment and open the next.

        If the disk is full the old one just goes on and the next commit tries
        again; but once the next one exists, a record more in the old one would
        fork the journal.
        """
        path, offsets = self._live
        following = self._directory / journal_format.segment_name(self._seq)
        try:
            sealed = SealedSegment.seal(path, offsets, self._seq, self._prev, self._size)
            self._open_segment(sealed)
        except OSError as error:
            if following.exists():
                self._lose(error)

    def _open_segment(self, sealed: SealedSegment | None = None) -> None:
        """Make a segment whole with its first record, which carries what must not be forgotten."""
        path = self._directory / journal_format.segment_name(self._seq)
        if self._seq == 0:
            self._checkpoints[_IDENTITY] = secrets.token_hex(16)
        now_ms = max(self._now_ms(), self._time_ms)
        opening = Draft(Operation.SEGMENT, "", detail=dict(self._checkpoints))
        record, digest = journal_format.encode(opening.placed(self._seq, self._prev, now_ms))
        files.replace(path, record, fresh=True)
        former, self._file = self._file, os.open(path, os.O_RDWR | os.O_CLOEXEC)
        if former is not None:
            os.close(former)
        self._seq, self._prev, self._time_ms = self._seq + 1, digest, now_ms
        self._size = len(record)
        # Readers look at the live index first, so a serial is always in sight.
        if sealed is not None:
            self._sealed = [*self._sealed, sealed]
        self._live = (path, {})

    # -- starting --

    def _recover(self) -> None:
        found = journal_format.segments(self._directory)
        if not found:
            self._open_segment()
            return
        for first, path in found:
            if first != self._seq:
                raise Broken(f"{path.name}: records {self._seq} to {first - 1} are missing")
            if path != found[-1][1]:
                sealed = SealedSegment.open(path, self._seq, self._prev)
                self._sealed.append(sealed)
                self._seq, self._prev = sealed.next_seq, sealed.last_digest
        self._live = (found[-1][1], {})
        self._file = os.open(self._live[0], os.O_RDWR | os.O_CLOEXEC)
        self._replay(self._live[0].read_bytes())

    def _replay(self, data: bytes) -> None:
        self._size = len(data)
        assert self._file is not None
        path = self._live[0]
        try:
            for at, entry, digest in journal_format.entries(data, path.name, self._seq, self._prev):
                self._seq, self._prev, self._time_ms = entry.seq + 1, digest, entry.time_ms
                self._note(entry.operation, entry.key_id, entry.serial, entry.detail, at)
        except Torn as torn:
            if torn.at == 0:
                raise Broken(f"{path.name}: its first record is incomplete") from None
            # Nothing of it was released: a signature leaves only after the sync.
            self.truncated = self._size - torn.at
            self._size = torn.at
            os.ftruncate(self._file, torn.at)
            os.fsync(self._file)
            self._commit([Draft(Operation.TRUNCATED, "", detail={"octets": str(self.truncated)})])
        if not data:
            raise Broken(f"{path.name} is empty")


def _entry_at(path: Path, at: int) -> JournalEntry:
    with path.open("rb") as file:
        file.seek(at)
        length = int.from_bytes(file.read(4))
        return journal_format.decode(file.read(min(length, MAX_PAYLOAD)))
