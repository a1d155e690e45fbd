"""What a backup holds: files and tables as a sequence of frames.

A frame is a 4-octet length and a tagged MessagePack array.  Each entry is its
head, its content and an ``End`` with its digest; ``Done`` comes last.  The
digest of a table is over its rows in the order of its primary key, so it says
the same whatever the database and however rows are grouped.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from chancery.domain.errors import BadRequest

MAX_FRAME: Final = 8 << 20
"""Octets: a CRL of 64 MiB would not fit a row, but is cut; see ``Piece``."""

Value = str | int | bool | bytes | None


class _Frame(Struct, frozen=True, array_like=True, tag=True, forbid_unknown_fields=True):
    pass


class File(_Frame, frozen=True):
    """*path* is relative to the instance; *mode* its permission bits."""

    path: str
    mode: int


class Data(_Frame, frozen=True):
    data: bytes


class TableHead(_Frame, frozen=True):
    name: str
    columns: tuple[str, ...]


class Rows(_Frame, frozen=True):
    rows: list[tuple[Any, ...]]


class Piece(_Frame, frozen=True):
    """A part of a row too long for one frame: MessagePack of it, *more* to come."""

    data: bytes
    more: bool


class End(_Frame, frozen=True):
    """*count*: octets of a file, rows of a table."""

    count: int
    sha256: bytes


class Done(_Frame, frozen=True):
    entries: int
    sha256: bytes


Frame = File | Data | TableHead | Rows | Piece | End | Done
_decoder: Final = msgspec.msgpack.Decoder(Frame)
_encode: Final = msgspec.msgpack.Encoder().encode
encode_row: Final = msgspec.msgpack.Encoder().encode
_decode_row: Final = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


def decode_row(data: bytes) -> tuple[Any, ...]:
    """Read a row that came in pieces."""
    try:
        return _decode_row(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise broken(f"a row that is none: {error}") from None


def encode(frame: Frame) -> bytes:
    payload = _encode(frame)
    assert len(payload) <= MAX_FRAME
    return len(payload).to_bytes(4) + payload


class FrameReader:
    """Cuts a stream into frames as it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take octets; yield the frames that are whole.  BadRequest for anything else."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= 4:
                length = int.from_bytes(self._buffer[at : at + 4])
                if length > MAX_FRAME:
                    raise broken(f"a frame of {length} octets")
                if len(self._buffer) - at - 4 < length:
                    return
                yield _decoded(bytes(self._buffer[at + 4 : at + 4 + length]))
                at += 4 + length
        finally:
            del self._buffer[:at]

    def end(self) -> None:
        if self._buffer:
            raise broken("it ends inside a frame")


def _decoded(payload: bytes) -> Frame:
    try:
        frame: Frame = _decoder.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise broken(str(error)) from None
    return frame


class Digest:
    """SHA-256 over the names and digests of all entries, in order."""

    def __init__(self) -> None:
        self.entries = 0
        self._hash = hashlib.sha256()

    def add(self, name: str, end: End) -> None:
        self.entries += 1
        self._hash.update(encode_row((name, end.count, end.sha256)))

    def done(self) -> Done:
        return Done(self.entries, self._hash.digest())


def broken(why: str) -> BadRequest:
    return BadRequest(
        f"the content of this backup does not fit together: {why}",
        field="backup",
        rule="backup.content",
        remedy="take another backup, and report this one: its encryption was intact",
    )
