"""From leaves on record to tiles on show: the unsigned half of a checkpoint."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chancery.domain.audit import AuditRecord, leaf_hash
from chancery.domain.errors import Unavailable
from chancery.domain.merkle import ROW, Frontier
from chancery.ports import Publisher
from chancery.wire import tiles
from chancery.wire.note import Checkpoint
from chancery.wire.tiles import Tile, TileReader

Records = Callable[[int, int], Sequence[AuditRecord]]
"""Records with first <= seq < end."""

_BATCH: Final = 16 * ROW  # leaves in memory at once, and files per round of fsyncs


class AuditTampered(Unavailable):
    """The record contradicts what was signed before: nothing is signed until a person has looked.

    Unavailable to whoever asks; to the operator, an incident.
    """


class TiledLog:
    """The tiles that a checkpoint covers, and the edge where the next leaf goes.

    Keeps the edge alone in memory.  After an exception it must be thrown away
    and taken up again from the last checkpoint.
    """

    def __init__(self, publisher: Publisher, checkpoint: Checkpoint | None) -> None:
        """Take the log up where *checkpoint* left it; AuditTampered if its tiles do not hash so."""
        self._publisher = publisher
        self._frontier = Frontier()
        if checkpoint is None:
            return
        reader = TileReader(publisher.published, checkpoint.size)
        edge = tiles.edge(checkpoint.size)
        levels = {tile.level: reader.hashes(tile.level, tile.index) for tile in edge}
        rows = [levels.get(level, []) for level in range(max(levels, default=-1) + 1)]
        self._frontier = Frontier(checkpoint.size, rows)
        if self._frontier.root() != checkpoint.root:
            raise tampered("audit.tiles", "the tiles do not hash to the root in the checkpoint")

    @property
    def size(self) -> int:
        return self._frontier.size

    def root(self) -> bytes:
        return self._frontier.root()

    def integrate(self, records: Records, size: int) -> None:
        """Publish the tiles and bundles of a tree of *size*; all are durable on return.

        Reads again the row in which the tree ends now and compares it with the
        tile: a database that was rolled back cannot hold the same last leaf.
        """
        covered = self.size
        start = max(covered - 1, 0) // ROW * ROW
        last_ms = 0
        for first in range(start, size, _BATCH):
            batch = records(first, min(first + _BATCH, size))
            last_ms = _check(batch, first, min(first + _BATCH, size), last_ms)
            known = max(covered - first, 0)
            if known:
                self._compare(batch[:known], first)
            self._publish(first, batch, known)
        for tile in tiles.edge(size):
            row = self._frontier.row(tile.level)
            self._put([(tile.path, tiles.encode_tile(row))])
        for tile in tiles.changed(covered, size):
            if tile.width == ROW:  # what was partial is whole now
                for directory in tile.partial_paths:
                    self._publisher.discard(directory)

    def _compare(self, batch: Sequence[AuditRecord], first: int) -> None:
        shown = TileReader(self._publisher.published, self.size).hashes(0, first // ROW)
        for record, known in zip(batch, shown, strict=True):
            if record.hash != known:
                raise tampered(
                    "audit.rolled-back",
                    f"record {record.seq} in the database is not the one that was signed",
                )

    def _publish(self, first: int, batch: Sequence[AuditRecord], known: int) -> None:
        before = self.size
        rows = self._frontier.extend([record.hash for record in batch[known:]])
        files = [(Tile(row.level, row.index).path, tiles.encode_tile(row.hashes)) for row in rows]
        for tile in tiles.changed(before, self.size):
            if tile.level == 0:
                at = tile.index * ROW - first
                entries = [record.leaf for record in batch[at : at + tile.width]]
                files.append((tile.entries_path, tiles.encode_bundle(entries)))
        self._put(files)

    def _put(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Publish what is not there yet; what is there must be the same."""
        new: list[tuple[str, bytes]] = []
        for name, data in files:
            shown = self._publisher.published(name)
            if shown is None:
                new.append((name, data))
            elif shown != data:
                raise tampered("audit.rewritten", f"{name} was published with other records")
        if new:
            self._publisher.publish_all(new)


def tampered(rule: str, what: str) -> AuditTampered:
    return AuditTampered(
        f"the audit log is not what it was: {what}",
        field="audit",
        rule=rule,
        remedy="keep every copy as it is and run `chancery audit verify`; see docs/guides/audit.md",
    )


def _check(batch: Sequence[AuditRecord], first: int, end: int, last_ms: int) -> int:
    """Hold a batch to the promises of ``AuditTrail``; return its last time."""
    if len(batch) != end - first:
        raise tampered("audit.gap", f"records {first} to {end - 1} are not all in the database")
    for seq, record in enumerate(batch, first):
        if record.seq != seq or leaf_hash(record.leaf) != record.hash:
            raise tampered("audit.record", f"record {seq} does not hash to what is stored with it")
        if record.time_ms < last_ms:
            raise tampered("audit.time", f"record {seq} is older than the one before it")
        last_ms = record.time_ms
    return last_ms
