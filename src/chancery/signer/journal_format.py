"""The journal's octets: records, the chain through them, and the offline reader.

A segment is a file ``NNNNNNNNNNNNNNNNNNNN.journal``, named after the sequence
number of its first record, in decimal.  A record is

    length   4 octets, big-endian, of the payload
    payload  MessagePack array, the fields of JournalEntry in order
    digest   32 octets, SHA-256 of the payload

and the payload's second field is the digest of the record before it, zeros for
the very first.  So no record can be changed, dropped, inserted or moved
without breaking every later one.  What the chain alone cannot show is the loss
of the newest records: compare with the certificates on record for that.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

GENESIS: Final = bytes(32)
MAX_PAYLOAD: Final = 64 * 1024
OVERHEAD: Final = 4 + 32
SECTOR: Final = 512
SUFFIX: Final = ".journal"


class Operation(StrEnum):
    """What a record is about.  Only the four ``*.signed`` of CA keys mean a signature left."""

    SEGMENT = "segment.opened"
    TRUNCATED = "journal.truncated"
    GENERATED = "key.generated"
    IMPORTED = "key.imported"
    BOUND = "key.bound"
    EXPORTED = "key.exported"
    DESTROYED = "key.destroyed"
    CERTIFICATE = "certificate.signed"
    CA_CERTIFICATE = "ca-certificate.signed"
    CSR = "csr.signed"
    CRL = "crl.signed"
    OCSP = "ocsp.signed"
    CHECKPOINT = "checkpoint.signed"
    MESSAGE = "message.signed"
    DECRYPTED = "message.opened"
    REFUSED = "refused"
    MANAGED_MADE = "managed-key.made"
    MANAGED_MOVED = "managed-key.moved"
    MANAGED_USED = "managed-key.used"
    MANAGED_LEFT = "managed-key.left"
    COMPONENT = "key-component.moved"


class JournalEntry(msgspec.Struct, frozen=True, array_like=True):
    """One record.

    *time_ms* is Unix milliseconds and never decreases.  *tbs_sha256* is the
    SHA-256 (32 octets) of what was signed, *serial* lower-case hex: of a
    certificate, or the number of a CRL.  *detail* holds short texts: the rule
    that refused, a public key's hash, a checkpoint's size.
    """

    seq: int
    prev: bytes
    time_ms: int
    operation: Operation
    key_id: str
    serial: str = ""
    tbs_sha256: bytes = b""
    signature: bytes = b""
    intent_id: str = ""
    approvers: tuple[str, ...] = ()
    detail: dict[str, str] = {}


@dataclass(slots=True)
class Draft:
    """An entry before it has a place in the chain; the fields of JournalEntry."""

    operation: Operation
    key_id: str
    serial: str = ""
    tbs_sha256: bytes = b""
    signature: bytes = b""
    intent_id: str = ""
    approvers: tuple[str, ...] = ()
    detail: Mapping[str, str] | None = None

    def placed(self, seq: int, prev: bytes, time_ms: int) -> JournalEntry:
        """Give it its place."""
        return JournalEntry(
            seq,
            prev,
            time_ms,
            self.operation,
            self.key_id,
            self.serial,
            self.tbs_sha256,
            self.signature,
            self.intent_id,
            self.approvers,
            dict(self.detail) if self.detail else {},
        )


class Broken(Exception):
    """The journal is not what was written.  The message says where and how."""


class Torn(Exception):
    """The file ends inside a record, from octet *at* on: a write that power or a kill cut short."""

    def __init__(self, at: int) -> None:
        super().__init__(f"torn at octet {at}")
        self.at = at


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(JournalEntry).decode


def encode(entry: JournalEntry) -> tuple[bytes, bytes]:
    """Return (record, its digest)."""
    payload = _encode(entry)
    digest = hashlib.sha256(payload).digest()
    return len(payload).to_bytes(4) + payload + digest, digest


def decode(payload: bytes | memoryview) -> JournalEntry:
    """Raises Broken."""
    try:
        return _decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Broken(f"a record does not parse: {error}") from None


def segment_name(seq: int) -> str:
    return f"{seq:020d}{SUFFIX}"


def segments(directory: Path) -> list[tuple[int, Path]]:
    """(first sequence number, path) of each segment, oldest first.  Raises Broken."""
    found = []
    for path in directory.glob(f"*{SUFFIX}"):
        stem = path.name.removesuffix(SUFFIX)
        if len(stem) != 20 or not (stem.isascii() and stem.isdigit()):
            raise Broken(f"{path.name} is not a name of a segment")
        found.append((int(stem), path))
    return sorted(found)


def entries(
    data: bytes | memoryview, name: str, seq: int, prev: bytes, time_ms: int = 0
) -> Iterator[tuple[int, JournalEntry, bytes]]:
    """Read one segment as (offset, entry, digest), checking the chain from (*seq*, *prev*).

    Raises Broken, or Torn when everything up to the last record is sound and
    that one is incomplete.
    """
    view = memoryview(data)
    at, end = 0, len(view)
    while at < end:
        length = int.from_bytes(view[at : at + 4])
        stop = at + OVERHEAD + length
        if end - at < 4 or (0 < length <= MAX_PAYLOAD and stop > end):
            raise Torn(at)
        payload = view[at + 4 : stop - 32]
        digest = hashlib.sha256(payload).digest()
        if not 0 < length <= MAX_PAYLOAD or digest != view[stop - 32 : stop]:
            if _unwritten(view, at):
                raise Torn(at)
            raise Broken(f"{name}: the record at octet {at} was altered")
        entry = decode(payload)
        if entry.seq != seq or entry.prev != prev or entry.time_ms < time_ms:
            raise Broken(
                f"{name}: the record at octet {at} does not follow the one before it"
                f" (number {entry.seq}, expected {seq})"
            )
        yield at, entry, digest
        seq, prev, time_ms, at = seq + 1, digest, entry.time_ms, stop


def _unwritten(view: memoryview, at: int) -> bool:
    """Whether the file, from some sector of the record at *at* to its end, is zeros.

    After a power cut a file may have grown before its last sectors were
    written; they read as zeros.  A sector that holds a record's digest has none.
    """
    start = max(at, (len(view) - 1) // SECTOR * SECTOR)
    tail = view[start:]
    return len(tail) > 0 and not any(tail)


def read(directory: Path) -> Iterator[JournalEntry]:
    """Every record, oldest first, with the whole chain checked: what an auditor runs.

    Needs nothing but the files.  Raises Broken at the first flaw; an
    incomplete record at the very end is a flaw too, to be repaired by a start
    of the signer, which records the repair.
    """
    seq, prev, time_ms = 0, GENESIS, 0
    for first, path in segments(directory):
        if first != seq:
            raise Broken(f"{path.name}: records {seq} to {first - 1} are missing")
        try:
            for _, entry, digest in entries(path.read_bytes(), path.name, seq, prev, time_ms):
                yield entry
                seq, prev, time_ms = entry.seq + 1, digest, entry.time_ms
        except Torn as torn:
            raise Broken(f"{path.name}: cut short at octet {torn.at}") from None
        if seq == first:
            raise Broken(f"{path.name} is empty")
