"""A Merkle tree as files: the tiled log of C2SP tlog-tiles.

``tile/<L>/<N>`` holds the hashes of one full row of level L,
``tile/entries/<N>`` the 256 leaves below one row of level 0, and either name
with ``.p/<W>`` the first W of them while the row is not full.  Files of a name
never change.  Names and bytes only: reading and writing is the caller's.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain import merkle
from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.merkle import HASH_SIZE, ROW

CHECKPOINT: Final = "checkpoint"
MAX_ENTRY: Final = 0xFFFF  # octets, by its length prefix

Fetch = Callable[[str], bytes | None]
"""Returns a file of the log by its name, None if there is none."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The *index*-th row of *level*, of which *width* hashes (1 to 256) exist."""

    level: int
    index: int
    width: int = ROW

    @property
    def path(self) -> str:
        return _path(str(self.level), self.index, self.width)

    @property
    def entries_path(self) -> str:
        """The bundle with the leaves of a level 0 tile."""
        return _path("entries", self.index, self.width)

    @property
    def partial_paths(self) -> tuple[str, ...]:
        """Directories that hold the narrower versions of this tile and of its bundle."""
        levels = [str(self.level)] + ([] if self.level else ["entries"])
        return tuple(_path(level, self.index, ROW) + ".p" for level in levels)


def edge(size: int) -> list[Tile]:
    """The partial tiles of a tree, by level."""
    return [
        Tile(level, size >> (8 * (level + 1)), width)
        for level in range(_levels(size))
        if (width := merkle.width(size, level))
    ]


def changed(old: int, size: int) -> Iterator[Tile]:
    """The tiles of a tree of *size* that a tree of *old* leaves did not have.

    By level from below, left to right: what a log writes, and what the holder
    of an old copy fetches.
    """
    for level in range(_levels(size)):
        before, now = old >> (8 * level), size >> (8 * level)
        if before == now:
            continue
        for index in range(before // ROW, now // ROW):
            yield Tile(level, index)
        if now % ROW:
            yield Tile(level, now // ROW, now % ROW)


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    return b"".join(hashes)


def decode_tile(data: bytes, tile: Tile) -> list[bytes]:
    if len(data) != tile.width * HASH_SIZE:
        raise _bad(tile.path, f"{len(data)} octets are not {tile.width} hashes")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Each entry after its length, a big-endian uint16."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise TooLarge(f"an entry of {len(entry)} octets", field="entry", rule="tiles.entry")
        parts += (struct.pack(">H", len(entry)), entry)
    return b"".join(parts)


def decode_bundle(data: bytes, tile: Tile) -> list[bytes]:
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start])
        if start > len(data) or at > len(data) or len(entries) == tile.width:
            raise _bad(tile.entries_path, "it ends inside an entry, or holds too many")
        entries.append(data[start:at])
    if len(entries) != tile.width:
        raise _bad(tile.entries_path, f"{len(entries)} entries are not {tile.width}")
    return entries


class TileReader:
    """Proofs about one tree, from its tiles.

    Reads each tile once, about ``log256(size)`` of them per proof.  BadRequest
    if a tile is missing or has another length than *size* demands.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size = fetch, size
        self._read: dict[Tile, list[bytes]] = {}

    def hashes(self, level: int, index: int) -> list[bytes]:
        """The tile at this place, at the width it has in this tree."""
        filled = (self._size >> (8 * level)) - index * ROW
        tile = Tile(level, index, min(filled, ROW))
        if tile not in self._read:
            self._read[tile] = self._hashes(tile)
        return self._read[tile]

    def _hashes(self, tile: Tile) -> list[bytes]:
        if (data := self._fetch(tile.path)) is not None:
            return decode_tile(data, tile)
        full = Tile(tile.level, tile.index)  # the log may have grown and dropped the partial one
        if (data := self._fetch(full.path)) is None:
            raise _bad(tile.path, "missing")
        return decode_tile(data, full)[: tile.width]

    def inclusion_proof(self, index: int) -> list[bytes]:
        return [self._root(span) for span in merkle.inclusion_spans(index, self._size)]

    def consistency_proof(self, old: int) -> list[bytes]:
        return [self._root(span) for span in merkle.consistency_spans(old, self._size)]

    def _root(self, span: merkle.Span) -> bytes:
        return merkle.fold([self._subtree(*piece) for piece in merkle.perfect_subtrees(span)])

    def _subtree(self, height: int, index: int) -> bytes:
        """A perfect subtree: one hash of a tile, or the root over a run of them."""
        level, above = divmod(height, 8)
        first = index << above
        row = self.hashes(level, first // ROW)
        return merkle.root(row[first % ROW : first % ROW + (1 << above)])


def _levels(size: int) -> int:
    return (size.bit_length() + 7) // 8


def _path(level: str, index: int, width: int) -> str:
    """``x001/x234/067`` for index 1234067 (tlog-tiles, Merkle Tree)."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join(["tile", level, *(f"x{group}" for group in groups[:-1]), groups[-1]])
    return name if width == ROW else f"{name}.p/{width}"


def _bad(path: str, why: str) -> BadRequest:
    return BadRequest(f"{path}: {why}", field=path, rule="tiles.malformed")
