"""The Merkle tree of RFC 9162 §2.1 over leaf hashes (``domain.audit.leaf_hash``).

Hashes are 32 octets.  A proof is a list of hashes, nearest the leaf first.
Which subtrees a proof consists of is a matter of numbers alone, so that the
same functions serve a list in memory and tiles on a disk.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
ROW: Final = 256
"""Hashes in a full row, which is a tile of C2SP tlog-tiles: eight levels of the tree."""

Span = tuple[int, int]
"""Leaves *first* to *end*, *end* left out."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """HASH(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """MTH (RFC 9162 §2.1.1) of the tree over *hashes*.

    Level by level: a node without a sibling rises unchanged, which is the tree
    that the recursive definition splits at the largest power of two.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    sha256 = hashlib.sha256
    while len(level) > 1:
        paired = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees in PATH(index, D_size), RFC 9162 §2.1.3.1."""
    if not 0 <= index < size:
        raise BadRequest(f"leaf {index} is not in a tree of {size}", field="index")
    spans: list[Span] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((first, middle))
            first = middle
    return spans[::-1]


def consistency_spans(old: int, size: int) -> list[Span]:
    """The subtrees in PROOF(old, D_size), RFC 9162 §2.1.4.1.

    Empty when the old tree is empty or the trees are of one size.
    """
    if not 0 <= old <= size:
        raise BadRequest(f"a tree of {old} is not the beginning of one of {size}", field="old")
    if old in {0, size}:
        return []
    spans: list[Span] = []
    first, end = 0, size
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((first, middle))
            first = middle
    if first:  # the old tree's own last subtree; where it is the whole old tree, its root is known
        spans.append((first, end))
    return spans[::-1]


def perfect_subtrees(span: Span) -> list[tuple[int, int]]:
    """Cut a subtree of some tree into perfect ones: (height, index), left to right.

    ``index << height`` is the first leaf of each.
    """
    first, end = span
    pieces: list[tuple[int, int]] = []
    while first < end:
        height = (end - first).bit_length() - 1
        pieces.append((height, first >> height))
        first += 1 << height
    return pieces


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that shrink from left to right."""
    result = peaks[-1]
    for peak in reversed(peaks[:-1]):
        result = node_hash(peak, result)
    return result


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, D_n) of the tree over *hashes*."""
    return [root(hashes[first:end]) for first, end in inclusion_spans(index, len(hashes))]


def consistency_proof(hashes: Sequence[bytes], old: int) -> list[bytes]:
    """PROOF(old, D_n) of the tree over *hashes*."""
    return [root(hashes[first:end]) for first, end in consistency_spans(old, len(hashes))]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes
) -> None:
    """Raise unless *proof* leads from *leaf* (a leaf hash) to *root_hash* (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        raise _bad("inclusion", f"leaf {index} is not in a tree of {size}")
    result = leaf
    sides = _left_siblings(index, size - 1, len(proof), "inclusion")
    for sibling, on_the_left in zip(proof, sides, strict=True):
        result = node_hash(sibling, result) if on_the_left else node_hash(result, sibling)
    if result != root_hash:
        raise _bad("inclusion", "it leads to another root")


def verify_consistency(
    old: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise unless *proof* shows the old tree to be the beginning of the new (§2.1.4.2)."""
    if not 0 <= old <= size:
        raise _bad("consistency", f"a tree of {old} is not the beginning of one of {size}")
    if old in {0, size}:
        if proof or old_root != (new_root if old else EMPTY_ROOT):
            raise _bad("consistency", "the trees differ, or it should be empty")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise _bad("consistency", "it is too short")
    height = (old & -old).bit_length() - 1  # of the old tree's last perfect subtree
    was = now = path[0]
    sides = _left_siblings((old - 1) >> height, (size - 1) >> height, len(path) - 1, "consistency")
    for sibling, on_the_left in zip(path[1:], sides, strict=True):
        if on_the_left:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
        else:
            now = node_hash(now, sibling)
    if was != old_root:
        raise _bad("consistency", "it does not lead to the old root")
    if now != new_root:
        raise _bad("consistency", "it does not lead to the new root")


@dataclass(frozen=True, slots=True)
class Row:
    """A full row: ``ROW`` hashes, each the root of ``ROW**level`` leaves."""

    level: int
    index: int
    hashes: tuple[bytes, ...]


class Frontier:
    """The right edge of a growing tree: all that must be kept to append to it.

    Level 0 holds the leaf hashes after the last full row; level *l* the roots of
    full rows below that do not fill a row yet.  So a tree of *n* leaves keeps
    at most ``255 * log256(n)`` hashes, and an append costs one more hash.
    """

    def __init__(self, size: int = 0, rows: Sequence[Sequence[bytes]] = ()) -> None:
        """Take up a tree of *size* leaves from the partial *rows* of each level."""
        for level in range(max(len(rows), (size.bit_length() + 7) // 8)):
            held = len(rows[level]) if level < len(rows) else 0
            if held != width(size, level):
                raise ValueError(f"level {level} holds {held} of {width(size, level)} hashes")
        self.size = size
        self._rows = [list(row) for row in rows]

    def extend(self, hashes: Iterable[bytes]) -> list[Row]:
        """Append leaf hashes; return the rows this filled, lower levels before higher."""
        if not self._rows:
            self._rows.append([])
        self._rows[0].extend(hashes)
        self.size += len(self._rows[0]) - self.size % ROW
        filled: list[Row] = []
        for level in range(16):  # 256**16 leaves are more than anyone records
            row = self._rows[level]
            if len(row) < ROW:
                break
            full = len(row) // ROW
            first = (self.size >> (8 * (level + 1))) - full
            rows = [tuple(row[i * ROW : (i + 1) * ROW]) for i in range(full)]
            filled += [Row(level, first + i, hashes) for i, hashes in enumerate(rows)]
            del row[: full * ROW]
            if level + 1 == len(self._rows):
                self._rows.append([])
            self._rows[level + 1].extend(map(root, rows))
        return filled

    def row(self, level: int) -> tuple[bytes, ...]:
        """The hashes of the partial row at *level*, none if it is empty."""
        return tuple(self._rows[level]) if level < len(self._rows) else ()

    def root(self) -> bytes:
        """The root of the whole tree."""
        rest: list[bytes] = []
        for row in self._rows:
            if row or rest:
                # What lies to the right is smaller than any subtree of this row,
                # so the tree over both is the tree over the row with one more node.
                rest = [root([*row, *rest])]
        return rest[0] if rest else EMPTY_ROOT


def width(size: int, level: int) -> int:
    """How many hashes the partial row at *level* of a tree holds: 0 to 255."""
    return (size >> (8 * level)) % ROW


def _left_siblings(node: int, last: int, count: int, rule: str) -> list[bool]:
    """Climb from *node*, on a level that ends at *last*: which of *count* siblings lie left."""
    sides: list[bool] = []
    while last and len(sides) < count:
        sides.append(bool(node & 1) or node == last)
        while sides[-1] and node and not node & 1:  # it rose unchanged to here
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last or len(sides) < count:
        raise _bad(rule, "it is too short" if last else "it is too long")
    return sides


def _split(size: int) -> int:
    """The largest power of two smaller than *size*."""
    return 1 << ((size - 1).bit_length() - 1)


def _bad(rule: str, why: str) -> BadRequest:
    return BadRequest(f"not a proof of {rule}: {why}", field="proof", rule=f"merkle.{rule}")
