"""Verify a copy of an audit log, offline: ``python audit_verifier.py DIR --key audit.vkey``.

Stand-alone: this file, Python 3.11 and ``cryptography`` are all it needs.  It
shares no code with the server, so that an error in one shows in the other.
DIR is an instance directory or a copy of one, or the ``audit`` directory
alone.  Formats and finding codes: docs/guides/audit.md.

It holds the leaves to the tiles, the tiles to the signed root, that tree to
older checkpoints, and the database's records to the leaves.  With
``audit_reconciler.py`` beside it, also the certificates, revocations and CRLs
in the database to the leaves and to the signer's journal.
"""

import argparse
import base64
import contextlib
import hashlib
import importlib
import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXIT_OK, EXIT_USAGE, EXIT_FAILED = 0, 2, 8
MAX_FINDINGS = 1000  # listed; all are counted
MAX_MISSING = 100  # rows in succession before we stop looking
ROW = 256  # hashes in a full tile

# -- Merkle tree, RFC 9162 §2.1 --


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """MTH by the definition: split at the largest power of two."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(tree_root(hashes[:split]), tree_root(hashes[split:]))


class Tree:
    """A growing tree: perfect subtrees to the left, up to 256 leaf hashes to the right."""

    def __init__(self) -> None:
        self.size = 0
        self.row: list[bytes] = []
        self.full: list[bytes] = []  # the root of each full row
        self._peaks: list[tuple[int, bytes]] = []  # (rows, root), shrinking

    def append(self, leaf_hash: bytes) -> None:
        self.row.append(leaf_hash)
        self.size += 1
        if len(self.row) == ROW:
            rows, peak = 1, tree_root(self.row)
            self.full.append(peak)
            while self._peaks and self._peaks[-1][0] == rows:
                rows, peak = 2 * rows, node(self._peaks.pop()[1], peak)
            self._peaks.append((rows, peak))
            self.row = []

    def root(self) -> bytes:
        parts = [peak for _, peak in self._peaks] + ([tree_root(self.row)] if self.row else [])
        root = parts.pop() if parts else tree_root([])
        while parts:
            root = node(parts.pop(), root)
        return root


# -- Checkpoints, C2SP signed-note and tlog-checkpoint --


@dataclass
class Checkpoint:
    origin: str
    size: int
    root: bytes


@dataclass
class Key:
    """A verifier key: ``name+id+base64(0x01 || Ed25519 key)``."""

    text: str
    name: str
    id: bytes
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> "Key":
        name, _, rest = text.strip().partition("+")
        stated, _, encoded = rest.partition("+")
        key = unbase64(encoded)
        key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
        if not name or key[:1] != b"\x01" or len(key) != 33 or key_id.hex() != stated:
            raise ValueError("not the verifier key (name+id+base64) of an Ed25519 key")
        return cls(text.strip(), name, key_id, Ed25519PublicKey.from_public_bytes(key[1:]))

    def open(self, signed: bytes) -> Checkpoint:
        """Verify a checkpoint of this key's log.  Raises ValueError."""
        text, blank, tail = signed.decode().rpartition("\n\n")
        lines = [
            re.fullmatch(r"— (\S+) (\S+)", line) for line in tail.removesuffix("\n").split("\n")
        ]
        if not blank or not tail.endswith("\n") or not all(lines):
            raise ValueError("not a signed note")
        signatures = [(line[1], unbase64(line[2])) for line in lines if line]
        own = [
            octets[4:] for name, octets in signatures if (name, octets[:4]) == (self.name, self.id)
        ]
        try:
            for signature in own:
                self.public.verify(signature, (text + "\n").encode())
        except InvalidSignature:
            raise ValueError(f"the signature of {self.name} does not verify") from None
        if not own:
            raise ValueError(f"{self.name}+{self.id.hex()} did not sign it")
        checkpoint = parse_checkpoint(text)
        if checkpoint.origin != self.name:
            raise ValueError(f"it is of another log: {checkpoint.origin}")
        return checkpoint


def parse_checkpoint(text: str) -> Checkpoint:
    origin, size, root, *_ = [*text.split("\n"), "", ""]
    if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,17}", size) or len(unbase64(root)) != 32:
        raise ValueError("not a checkpoint")
    return Checkpoint(origin, int(size), unbase64(root))


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


# -- Everything against everything --


@dataclass
class Report:
    """``ok``: nothing here contradicts the signatures, as far as nothing was skipped."""

    size: int = 0
    root: str = ""
    findings: list[dict[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    def find(self, code: str, where: str, what: str) -> None:
        self.counts["findings"] += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append({"code": code, "where": where, "what": what})

    @property
    def ok(self) -> bool:
        return not self.counts["findings"]

    def json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "size": self.size,
            "root": self.root,
            "findings": self.findings,
            "counts": dict(sorted(self.counts.items())),
            "skipped": self.skipped,
        }


class Audit:
    """One verification."""

    def __init__(self, source: Path, key: Key) -> None:
        instance = (source / "audit").is_dir()
        self._log = source / "audit" if instance else source
        self._home = source.parent if source.name == "audit" and not instance else source
        self._key = key
        self.report = Report()
        self._find = self.report.find
        self._tree = Tree()
        self._wanted: dict[int, list[tuple[str, bytes]]] = {}  # tree size -> (who says, its root)
        self._last_ms = 0
        self._database: sqlite3.Connection | None = None
        self._reconciler = _reconciler(self.report, self._home)

    def run(self, anchors: Sequence[Path]) -> Report:
        # In this order nothing that is still being written looks as if it were missing: what
        # the journal tells of has its intent in the database, what was signed is recorded.
        signed = self._reconciler.journal_checkpoints() if self._reconciler else []
        size = self._read_checkpoint(anchors)
        recorded = self._open_database(size)
        self._want_signed([one for one in signed if one.origin == self._key.name], size)
        self._read_tiles(size)
        if self._database is not None:
            try:
                self._read_uncovered(size, recorded)
                if self._reconciler:
                    self._reconciler.reconcile(self._database)
            except (sqlite3.Error, TypeError, IndexError) as error:
                self._find("database.unreadable", "chancery.db", f"it does not read: {error}")
            self._database.close()
        for wanted, statements in sorted(self._wanted.items()):
            for where, _ in statements:
                what = f"{wanted} records were signed, {self._tree.size} are here: rolled back"
                self._find("checkpoint.rolled-back", where, what)
        return self.report

    # -- checkpoints --

    def _read_checkpoint(self, anchors: Sequence[Path]) -> int:
        size = 0
        signed = self._file("checkpoint")
        if signed is None:
            self._find("checkpoint.missing", "checkpoint", "there is none")
        else:
            try:
                checkpoint = self._key.open(signed)
            except ValueError as error:
                self._find("checkpoint.invalid", "checkpoint", str(error))
                checkpoint = Checkpoint("", 0, tree_root([]))
                with contextlib.suppress(ValueError):  # read on with what it claims
                    checkpoint = parse_checkpoint(signed.decode())
            size = self.report.size = checkpoint.size
            self.report.root = checkpoint.root.hex()
            self._want(checkpoint.size, checkpoint.root, "checkpoint")
        for path in anchors:
            try:
                anchor = self._key.open(path.read_bytes())
            except (ValueError, OSError) as error:
                self._find("anchor.invalid", str(path), str(error))
                continue
            if anchor.size > size:
                what = f"{anchor.size} records were signed then, {size} now: rolled back"
                self._find("checkpoint.rolled-back", str(path), what)
            self._want(anchor.size, anchor.root, str(path))
        return size

    def _want_signed(self, signed: list[Any], size: int) -> None:
        """Expect what the signer's journal says was signed."""
        ahead = [one for one in signed if one.size > size]
        self.report.counts["checkpoints not published"] = len(ahead)
        if self._database is None and len(ahead) == 1:
            ahead = []  # just signed, or a crash came before it was published: normal
        for one in [*(one for one in signed if one.size <= size), *ahead]:
            self._want(one.size, one.root, one.where)

    def _want(self, size: int, root: bytes, where: str) -> None:
        self._wanted.setdefault(size, []).append((where, root))

    def _check_root(self) -> None:
        for where, root in self._wanted.pop(self._tree.size, []):
            if root != self._tree.root():
                what = f"the first {self._tree.size} records do not hash to the root it states"
                self._find("checkpoint.root", where, what)

    # -- leaves --

    def _read_tiles(self, size: int) -> None:
        self._check_root()  # somebody may have signed the empty tree
        missing = 0
        for first in range(0, size, ROW):
            width = min(ROW, size - first)
            name = _tile_name("entries", first // ROW, width)
            entries = self._bundle(name, first // ROW, width)
            hashes = _cut(self._tile(0, first // ROW, width))
            missing = 0 if entries or hashes else missing + 1
            if missing == MAX_MISSING:  # a size that nobody signed can be anything
                self._find("tile.missing", name, "and so on: the rest was not looked for")
                break
            stored = self._rows(first, first + width)
            for seq in range(first, first + width):
                at = seq - first
                if at >= len(entries):  # its hash keeps the tree whole for what follows
                    self._append(hashes[at] if at < len(hashes) else bytes(32))
                    continue
                row = self._leaf(entries[at], f"{name} entry {at}")
                if hashes[at : at + 1] != [row[-1]]:
                    self._find(
                        "tile.hash", _tile_name("0", first // ROW, width), f"not record {seq}"
                    )
                if stored is not None:
                    self._compare_row(stored.get(seq), row)
        self.report.counts["records"] = self._tree.size
        level, below = 1, self._tree.full
        while below:
            for first in range(0, len(below), ROW):
                row_of = below[first : first + ROW]
                if _cut(self._tile(level, first // ROW, len(row_of))) != row_of:
                    name = _tile_name(str(level), first // ROW, len(row_of))
                    self._find("tile.hash", name, "it does not follow from the level below")
            whole = range(0, len(below) // ROW * ROW, ROW)
            level, below = level + 1, [tree_root(below[at : at + ROW]) for at in whole]

    def _leaf(self, leaf: bytes, where: str) -> tuple[Any, ...]:
        """Add a leaf to the tree; return the row that the database must have for it."""
        seq, digest = self._tree.size, hashlib.sha256(b"\x00" + leaf).digest()
        self._append(digest)
        try:
            fields = json.loads(leaf)
            again = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            row = tuple(fields[name] for name in ("seq", "time", "action", "actor", "subject"))
            if again.encode() != leaf or type(row[1]) is not int:
                raise ValueError("not canonical JSON, or no time")
            if row[0] != seq:
                self._find("leaf.seq", where, f"record {seq} says that it is {row[0]!r}")
            if row[1] < self._last_ms:
                self._find("leaf.time", where, f"record {seq} is older than the one before it")
            self._last_ms = row[1]
            if self._reconciler:
                self._reconciler.told(seq, fields["action"], fields["details"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self._find("leaf.malformed", where, f"record {seq} does not read: {error!r}")
            return (seq, None, None, None, None, leaf, digest)
        return (*row, leaf, digest)

    def _append(self, digest: bytes) -> None:
        self._tree.append(digest)
        if self._tree.size in self._wanted:
            self._check_root()

    def _bundle(self, name: str, index: int, width: int) -> list[bytes]:
        full = _tile_name("entries", index, ROW)  # stands in once the log has grown
        data = self._file(name) or self._file(full)
        if data is None:
            self._find("tile.missing", name, "the checkpoint covers it, but it is not there")
            return []
        entries: list[bytes] = []
        at = 0
        while at < len(data) and len(entries) < ROW:
            end = at + 2 + int.from_bytes(data[at : at + 2])
            entries.append(data[at + 2 : end])
            at = end
        exact = self._file(name) is not None
        if at != len(data) or len(entries) < width or (exact and len(entries) > width):
            self._find(
                "tile.malformed", name, f"{len(entries)} entries, not {width}, or a torn one"
            )
        return entries[:width]

    def _tile(self, level: int, index: int, width: int) -> bytes:
        name = _tile_name(str(level), index, width)
        data = self._file(name)
        if data is None and (full := self._file(_tile_name(str(level), index, ROW))):
            data = full[: width * 32]
        if data is None:
            self._find("tile.missing", name, "the checkpoint covers it, but it is not there")
        elif len(data) != width * 32:
            self._find("tile.malformed", name, f"{len(data)} octets are not {width} hashes")
        return data or b""

    def _file(self, name: str) -> bytes | None:
        try:
            return (self._log / name).read_bytes()
        except OSError:
            return None

    # -- the database: SQLite, read only, one snapshot --

    def _open_database(self, size: int) -> int:
        """Open it; return how many records it holds."""
        path = self._home / "data" / "chancery.db"
        if not path.is_file():
            self.report.skipped.append("database")
            return 0
        try:
            database = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
            )
            database.text_factory = lambda octets: octets.decode("utf-8", "replace")
            database.execute("BEGIN")
            recorded = int(database.execute("SELECT count(*) FROM audit_leaf").fetchone()[0])
            head = database.execute("SELECT size FROM audit_head").fetchall()
        except sqlite3.Error as error:
            self._find("database.unreadable", str(path), f"it does not open: {error}")
            return 0
        if head != [(recorded,)]:
            self._find("database.head", "audit_head", f"it counts {head}, there are {recorded}")
        if recorded < size:
            what = f"it holds {recorded} records, {size} were signed"
            self._find("database.rolled-back", "audit_leaf", what)
        self._database = database
        return recorded

    def _rows(self, first: int, end: int) -> dict[int, tuple[Any, ...]] | None:
        if self._database is None:
            return None
        query = (
            "SELECT seq, time_ms, action, actor, subject_id, leaf, hash FROM audit_leaf"
            " WHERE seq >= ? AND seq < ?"
        )
        try:
            return {row[0]: row for row in self._database.execute(query, (first, end))}
        except sqlite3.Error as error:
            self._find("database.unreadable", f"audit_leaf {first} to {end - 1}", str(error))
            return None

    def _compare_row(self, row: tuple[Any, ...] | None, signed: tuple[Any, ...]) -> None:
        where = f"audit_leaf {signed[0]}"
        if row is None:
            self._find("database.record-missing", where, "the record is not there")
        elif row != signed:
            names = ("seq", "time_ms", "action", "actor", "subject_id", "leaf", "hash")
            differ = [n for n, a, b in zip(names, row, signed, strict=True) if a != b]
            self._find("database.record-changed", where, f"{', '.join(differ)} differ from the log")

    def _read_uncovered(self, size: int, recorded: int) -> None:
        """The records that no checkpoint covers yet: nothing signed vouches for them."""
        self.report.counts["records not covered"] = max(recorded - size, 0)
        for first in range(size, recorded, ROW):
            rows = self._rows(first, min(first + ROW, recorded)) or {}
            for seq in range(first, min(first + ROW, recorded)):
                leaf = rows[seq][5] if seq in rows else None
                if not isinstance(leaf, bytes):
                    self._find("database.record-missing", f"audit_leaf {seq}", "a gap")
                    return
                self._compare_row(rows[seq], self._leaf(leaf, f"audit_leaf {seq}"))


def _reconciler(report: Report, home: Path) -> Any:
    """The other half of the verifier, if the file is here."""
    name = "audit_reconciler"
    try:
        module = importlib.import_module(f"{__package__}.{name}" if __package__ else name)
    except ModuleNotFoundError:
        report.skipped += ["certificates", "journal"]
        return None
    return module.Reconciler(report.find, report.counts, report.skipped, home)


def _tile_name(level: str, index: int, width: int) -> str:
    digits = f"{index:03d}"
    groups = re.findall("...", digits.zfill((len(digits) + 2) // 3 * 3))
    name = "/".join(["tile", level, *("x" + group for group in groups[:-1]), groups[-1]])
    return name if width == ROW else f"{name}.p/{width}"


def _cut(tile: bytes) -> list[bytes]:
    return [tile[at : at + 32] for at in range(0, len(tile), 32)]


def verify(source: Path, key: Path, anchors: Sequence[Path] = ()) -> Report:
    """Verify a copy.  Raises ValueError or OSError if there is no such copy or key."""
    if not source.is_dir():
        raise ValueError(f"{source} is not a directory")
    return Audit(source, Key.parse(key.read_text("ascii"))).run(anchors)


def render(report: Report) -> str:
    lines = [f"{one['code']}: {one['where']}: {one['what']}" for one in report.findings]
    if (more := report.counts["findings"] - len(report.findings)) > 0:
        lines.append(f"... and {more} more findings")
    lines += [f"not checked, because it is not here: {name}" for name in report.skipped]
    lines += [
        f"{count} {name}" for name, count in sorted(report.counts.items()) if name != "findings"
    ]
    verdict = "sound" if report.ok else f"NOT SOUND: {report.counts['findings']} findings"
    return "\n".join([*lines, f"{verdict}; {report.size} records signed, root {report.root}"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Verify a copy of an audit log, offline.",
        epilog="Exit status: 0 sound, 8 not sound, 2 usage.",
    )
    parser.add_argument("source", type=Path, metavar="DIR", help="instance directory or a copy")
    parser.add_argument("--key", type=Path, help="audit.vkey, kept away from the log")
    parser.add_argument(
        "--anchor",
        type=Path,
        action="append",
        default=[],
        help="checkpoint from before; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    if options.key is None:
        options.key = options.source / "audit.vkey"
        print(
            "the key is the copy's own: it shows damage, not forgery; give --key", file=sys.stderr
        )
    try:
        report = verify(options.source, options.key, options.anchor)
    except (ValueError, OSError) as error:
        print(f"cannot verify: {error}", file=sys.stderr)
        return EXIT_USAGE
    print(json.dumps(report.json(), indent=2) if options.json else render(report))
    return EXIT_OK if report.ok else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
