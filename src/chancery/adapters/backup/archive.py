"""Writing a backup: the record in one snapshot, then files, then the signer's journal.

The order is what keeps the promise checkable.  What the snapshot holds as an
intent, the journal, which is copied later, says signed or not; what was signed
after the snapshot is in the journal alone, and a restore can name it.

Nothing is held whole in memory, and nothing of it lies on the disk in clear.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from chancery import __version__
from chancery.adapters.backup.files import sync_directory, write_whole
from chancery.adapters.backup.streams import Hashing, Pulled
from chancery.adapters.storage.dump import Row, Snapshot, TableRows, snapshot
from chancery.domain.errors import BadRequest, Unavailable
from chancery.ports_backup import Wanted, Written
from chancery.wire import backup_frames as frames
from chancery.wire import backup_manifest, backup_stream
from chancery.wire.backup_frames import Data, Digest, End, File, Piece, Rows, TableHead
from chancery.wire.backup_manifest import Manifest, TableCount
from chancery.wire.backup_source import SourcePublic

_READ: Final = 1 << 18  # octets of a file in memory
_ROWS: Final = 1 << 19  # octets of rows in one frame
_PIECE: Final = 4 << 20
_COMPANIONS: Final = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database


@dataclass(frozen=True, slots=True)
class Places:
    """Where an instance lies.  *journal* is copied last; *skipped* not at all."""

    base: Path
    database_url: str
    journal: Path
    skipped: tuple[Path, ...]
    needed: tuple[Path, ...] = ()
    """What must lie below *base*, because a restore puts everything there."""


@dataclass(slots=True)
class _Counts:
    tables: dict[str, TableCount] = field(default_factory=dict)
    files: int = 0
    octets: int = 0
    schema: str = ""
    engine: str = ""
    log_size: int = 0
    digest: Digest = field(default_factory=Digest)


def write(
    folder: Path,
    name: str,
    places: Places,
    wanted: Wanted,
    seal: Callable[[bytes], bytes],
    go_on: Callable[[], bool],
) -> Written:
    """Write ``name.age`` and its manifest into *folder*; the manifest makes it count."""
    from pyrage import EncryptError, encrypt_io, x25519  # noqa: PLC0415 - a library of 4 MB

    _check_below(places)
    source = SourcePublic.parse(wanted.source)
    counts = _Counts()
    file, temporary = folder / f"{name}.age", folder / f".{name}.age.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder, name.rpartition("-")[0])
        with temporary.open("wb") as raw:
            os.fchmod(raw.fileno(), 0o600)
            out = Hashing(raw)
            inner = backup_stream.seal(
                _content(places, counts, go_on), source, wanted.log, wanted.sequence
            )
            pulled = Pulled(inner)
            try:
                encrypt_io(pulled, out, [x25519.Recipient.from_str(wanted.recipient)])
            except (EncryptError, OSError) as error:  # age tells neither side's reason
                raise (pulled.error or out.error or error) from None
            raw.flush()
            os.fsync(raw.fileno())
        manifest = _manifest(name, wanted, source, counts, out).encode()
        sealed = backup_manifest.join(manifest, seal(manifest))
        temporary.rename(file)
        sync_directory(folder)
        _finish(folder / f"{name}{backup_manifest.SUFFIX}", sealed, file)
    except OSError as error:
        raise Unavailable(
            f"{error.filename or folder}: {error.strerror}",
            field="device",
            rule="backup.medium",
            remedy="is the medium in, writable, and large enough?",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    tables = {table: count.rows for table, count in counts.tables.items()}
    digest = hashlib.sha256(manifest).hexdigest()
    return Written(name, out.octets, out.hex(), digest, counts.log_size, tables)


def _finish(manifest: Path, sealed: bytes, file: Path) -> None:
    """What has no manifest counts for nothing, and gives its room back at once."""
    try:
        write_whole(manifest, sealed)
    except OSError:
        file.unlink(missing_ok=True)
        raise


def _sweep(folder: Path, log: str) -> None:
    """Remove what a crash left: half a backup, or one that nobody sealed."""
    for path in folder.glob(f".{log}-*.age.part"):
        path.unlink(missing_ok=True)
    for path in folder.glob(f"{log}-??????.age"):
        if not path.with_suffix(backup_manifest.SUFFIX).exists():
            path.unlink(missing_ok=True)


def _manifest(
    name: str, wanted: Wanted, source: SourcePublic, counts: _Counts, out: "Hashing"
) -> Manifest:
    return Manifest(
        format=backup_manifest.FORMAT,
        log=wanted.log,
        verifier=wanted.verifier,
        sequence=wanted.sequence,
        made_at=wanted.now,
        product=__version__,
        schema=counts.schema,
        engine=counts.engine,
        source=source.id,
        device=wanted.device,
        recipient=wanted.recipient,
        file=f"{name}.age",
        octets=out.octets,
        sha256=out.hex(),
        content=counts.digest.done().sha256.hex(),
        tables=counts.tables,
        files=counts.files,
        file_octets=counts.octets,
        checkpoint=wanted.checkpoint,
        approved_by=wanted.approved_by,
        previous=wanted.previous,
    )


def _content(places: Places, counts: _Counts, go_on: Callable[[], bool]) -> Iterator[bytes]:
    with snapshot(places.database_url) as record:
        counts.schema, counts.engine, counts.log_size = (
            record.schema,
            record.engine,
            record.log_size,
        )
        yield from _record(record, counts, go_on)
    for path in _files(places.base, places.base, (*places.skipped, places.journal)):
        _continue(go_on)
        yield from _file(places.base, path, counts)
    for path in _files(places.base, places.journal, (places.journal / "lock",)):
        _continue(go_on)
        yield from _file(places.base, path, counts)
    yield frames.encode(counts.digest.done())


def _continue(go_on: Callable[[], bool]) -> None:
    if not go_on():
        raise Unavailable("the backup was interrupted", field="backup", rule="backup.interrupted")


def _record(record: Snapshot, counts: _Counts, go_on: Callable[[], bool]) -> Iterator[bytes]:
    for table in record.tables:
        yield frames.encode(TableHead(table.name, table.columns))
        whole = TableHash()
        yield from _table(table, whole, go_on)
        end = whole.end()
        yield frames.encode(end)
        counts.digest.add(table.name, end)
        counts.tables[table.name] = TableCount(end.count, end.sha256.hex())


def _table(table: TableRows, whole: "TableHash", go_on: Callable[[], bool]) -> Iterator[bytes]:
    for part in table.rows:
        _continue(go_on)
        batch: list[Row] = []
        size = 0
        for row in part:
            octets = whole.add(row)
            if len(octets) > _ROWS:
                yield from _pieces(batch, octets)
                batch, size = [], 0
                continue
            batch.append(row)
            size += len(octets)
            if size > _ROWS:
                yield frames.encode(Rows(batch))
                batch, size = [], 0
        if batch:
            yield frames.encode(Rows(batch))


def _pieces(batch: list[Row], octets: bytes) -> Iterator[bytes]:
    """The rows before it, then a long row in pieces."""
    if batch:
        yield frames.encode(Rows(batch))
    for at in range(0, len(octets), _PIECE):
        yield frames.encode(Piece(octets[at : at + _PIECE], at + _PIECE < len(octets)))


class TableHash:
    """Counts and hashes rows in the order of their primary key."""

    def __init__(self) -> None:
        self._count = 0
        self._hash = hashlib.sha256()

    def add(self, row: Row) -> bytes:
        """Take a row; return its octets."""
        octets = frames.encode_row(row)
        self._count += 1
        self._hash.update(octets)
        return octets

    def end(self) -> End:
        return End(self._count, self._hash.digest())


def _files(base: Path, root: Path, skipped: tuple[Path, ...]) -> Iterator[Path]:
    """Directories and files of *root*, each before what is in it; not what is being written."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and here / one not in skipped
        )
        kept = [one for one in sorted(names) if not one.startswith(".")]
        kept = [one for one in kept if not _below(here / one, skipped)]
        if here != base:
            yield here
        yield from (here / one for one in kept)


def _below(path: Path, skipped: tuple[Path, ...]) -> bool:
    """Whether it is one of *skipped*, or what SQLite keeps beside one (``chancery.db-wal``)."""
    whole = (path, *(path.with_name(path.name.removesuffix(end)) for end in _COMPANIONS))
    return any(one in skipped for one in whole)


def _file(base: Path, path: Path, counts: _Counts) -> Iterator[bytes]:
    name = path.relative_to(base).as_posix()
    if path.is_dir():
        yield from _entry(File(name + "/", stat.S_IMODE(path.stat().st_mode)), (), counts)
        return
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return  # gone since it was listed
    with file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            head = File(name, stat.S_IMODE(status.st_mode))
            yield from _entry(head, _parts(file, status.st_size), counts)


def _parts(file: IO[bytes], size: int) -> Iterator[bytes]:
    """What it held when it was opened: what a journal gains meanwhile is for the next backup."""
    while size and (data := file.read(min(_READ, size))):
        size -= len(data)
        yield data


def _entry(head: File, parts: Iterable[bytes], counts: _Counts) -> Iterator[bytes]:
    digest, octets = hashlib.sha256(), 0
    yield frames.encode(head)
    for data in parts:
        digest.update(data)
        octets += len(data)
        yield frames.encode(Data(data))
    end = End(octets, digest.digest())
    yield frames.encode(end)
    counts.digest.add(head.path, end)
    counts.files += not head.path.endswith("/")
    counts.octets += octets


def _check_below(places: Places) -> None:
    for path in places.needed:
        if not path.resolve().is_relative_to(places.base.resolve()):
            raise BadRequest(
                f"{path} lies outside of {places.base}: a backup takes what is below it",
                field="backup",
                rule="backup.outside",
                remedy="keep vault, journal, secrets and TLS files in the instance's directory",
            )
