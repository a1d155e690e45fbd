"""Where in a closed segment each certificate's record is: a file of sorted fingerprints.

Derived from the segment and rebuilt from it whenever it is missing or does not
fit.  ``NNN.journal.index`` holds a header, the fingerprints (64 bits each, in
rising order), their offsets (32 bits each) and a SHA-256 of all before it, in
this machine's octet order.
"""

import hashlib
import mmap
import struct
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chancery.signer import files, journal_format
from chancery.signer.journal_format import Broken, Operation, Torn

_HEADER: Final = struct.Struct("=8sQQQ32s")  # magic, count, next sequence number, size, digest
_MAGIC: Final = b"chyjidx1"


def fingerprint(key_id: str, serial: str) -> int:
    """64 bits that stand for a certificate in an index."""
    digest = hashlib.sha256(f"{key_id}/{serial}".encode()).digest()
    return int.from_bytes(digest[:8])


class SealedSegment:
    """A closed segment with its index mapped into memory, some 12 octets a certificate."""

    def __init__(self, path: Path, raw: mmap.mmap) -> None:
        """*raw* passed ``_sound``."""
        self.path = path
        _, count, self.next_seq, self.size, self.last_digest = _HEADER.unpack_from(raw)
        middle = _HEADER.size + 8 * count
        self._raw = raw
        self._view = memoryview(raw)
        self._fingerprints = self._view[_HEADER.size : middle].cast("Q")
        self._places = self._view[middle : middle + 4 * count].cast("I")

    def __contains__(self, wanted: int) -> bool:
        at = bisect_left(self._fingerprints, wanted)
        return at < len(self._fingerprints) and self._fingerprints[at] == wanted

    def offsets(self, wanted: int) -> list[int]:
        """Offsets of the records with this fingerprint: hardly ever more than one."""
        at = bisect_left(self._fingerprints, wanted)
        found = []
        while at < len(self._fingerprints) and self._fingerprints[at] == wanted:
            found.append(self._places[at])
            at += 1
        return found

    def close(self) -> None:
        self._fingerprints.release()
        self._places.release()
        self._view.release()
        self._raw.close()

    @classmethod
    def seal(
        cls,
        path: Path,
        places: Mapping[int, int],
        next_seq: int,
        last_digest: bytes,
        size: int,
    ) -> "SealedSegment":
        """Write the index of the segment at *path*, and open it."""
        pairs = sorted(places.items())
        body = _HEADER.pack(_MAGIC, len(pairs), next_seq, size, last_digest)
        body += array("Q", [one for one, _ in pairs]).tobytes()
        body += array("I", [at for _, at in pairs]).tobytes()
        files.replace(_beside(path), body + hashlib.sha256(body).digest())
        return cls(path, _mapped(_beside(path)))

    @classmethod
    def open(cls, path: Path, seq: int, prev: bytes) -> "SealedSegment":
        """Open a closed segment that begins at (*seq*, *prev*); rebuild its index if need be.

        With a sound index only the first record is read, to see that it
        follows on: the whole chain is the offline verifier's work.  Raises Broken.
        """
        raw = _mapped(_beside(path)) if _beside(path).exists() else None
        if raw is not None and _sound(raw) and _HEADER.unpack_from(raw)[3] == path.stat().st_size:
            with path.open("rb") as file:
                start = file.read(journal_format.OVERHEAD + journal_format.MAX_PAYLOAD)
            length = int.from_bytes(start[:4])
            first = journal_format.entries(
                start[: length + journal_format.OVERHEAD], path.name, seq, prev
            )
            if next(first, None) is None:
                raise Broken(f"{path.name} is empty")
            return cls(path, raw)
        places: dict[int, int] = {}
        data = path.read_bytes()
        try:
            for at, entry, digest in journal_format.entries(data, path.name, seq, prev):
                if entry.operation in (Operation.CERTIFICATE, Operation.CA_CERTIFICATE):
                    places[fingerprint(entry.key_id, entry.serial)] = at
                seq, prev = entry.seq + 1, digest
        except Torn as torn:
            raise Broken(f"{path.name}: cut short at octet {torn.at}") from None
        return cls.seal(path, places, seq, prev, len(data))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.index")


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


def _sound(raw: mmap.mmap) -> bool:
    if len(raw) < _HEADER.size + 32:
        return False
    magic, count, *_ = _HEADER.unpack_from(raw)
    fits = magic == _MAGIC and len(raw) == _HEADER.size + 12 * count + 32
    return fits and hashlib.sha256(raw[:-32]).digest() == raw[-32:]
