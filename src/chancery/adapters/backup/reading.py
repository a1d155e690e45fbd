"""Reading a backup: both layers and every digest, as a stream into a sink."""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from chancery.adapters.backup.archive import TableHash
from chancery.domain.errors import BadRequest
from chancery.wire import backup_frames as frames
from chancery.wire import backup_manifest
from chancery.wire.backup_frames import (
    Data,
    Digest,
    Done,
    End,
    File,
    FrameReader,
    Piece,
    Rows,
    TableHead,
)
from chancery.wire.backup_manifest import Manifest
from chancery.wire.backup_source import SourceSecret
from chancery.wire.backup_stream import Opener
from chancery.wire.note import VerifierKey

_READ: Final = 1 << 20
_LONGEST_ROW: Final = 256 << 20  # octets


class Sink(Protocol):
    """Where the content goes; each call is one step of the stream."""

    def file(self, path: PurePosixPath, mode: int, *, folder: bool) -> None: ...
    def data(self, data: bytes) -> None: ...
    def file_end(self) -> None: ...
    def table(self, name: str, columns: Sequence[str]) -> None: ...
    def rows(self, rows: Sequence[tuple[Any, ...]]) -> None: ...


class Nowhere:
    """A sink that keeps nothing: to verify."""

    def file(self, path: PurePosixPath, mode: int, *, folder: bool) -> None: ...
    def data(self, data: bytes) -> None: ...
    def file_end(self) -> None: ...
    def table(self, name: str, columns: Sequence[str]) -> None: ...
    def rows(self, rows: Sequence[tuple[Any, ...]]) -> None: ...


def manifest_of(file: Path, keys: tuple[VerifierKey, ...]) -> Manifest:
    """The manifest beside *file*, sealed by one of *keys*, and the file being what it says."""
    manifest = backup_manifest.open_manifest(_manifest_octets(file), keys)
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            octets = stream.tell()
    except OSError as error:
        raise _unreadable(file, error) from error
    if (octets, digest) != (manifest.octets, manifest.sha256):
        cut = f"it has {octets} octets, its manifest says {manifest.octets}"
        raise BadRequest(
            f"{file.name} is not the file that was sealed: "
            + (cut if octets != manifest.octets else "its SHA-256 is another"),
            field="backup",
            rule="backup.altered",
            remedy="take another copy of this backup, or an older one",
        )
    return manifest


def claimed(file: Path) -> Manifest:
    """What the manifest says, trusted by nobody yet."""
    return backup_manifest.peek(_manifest_octets(file))


def _manifest_octets(file: Path) -> bytes:
    path = file.with_suffix(backup_manifest.SUFFIX)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def read(
    file: Path, manifest: Manifest, identity: str, secret: SourceSecret | None, sink: Sink
) -> None:
    """Decrypt and check everything; without *secret* only the outer layer and the inner header.

    BadRequest at the first thing that is not as it was written.
    """
    from pyrage import DecryptError, decrypt_io, x25519  # noqa: PLC0415 - a library of 4 MB

    reader = _Reader(manifest, secret, sink)
    try:
        with file.open("rb") as stream:
            decrypt_io(stream, reader, [x25519.Identity.from_str(identity)])
    except DecryptError as error:
        if reader.error is not None:
            raise reader.error from None
        raise BadRequest(
            f"the outer layer does not open with the key of this device: {error}",
            field="device",
            rule="backup.device-other",
            remedy=f"bring the device {manifest.device}, which this backup was made for",
        ) from error
    except OSError as error:
        if reader.error is not None:
            raise reader.error from None
        raise BadRequest(
            f"the outer layer is damaged: {error}",
            field="backup",
            rule="backup.damaged",
            remedy="take another copy of this backup, or an older one",
        ) from error
    reader.end()


class _Reader:
    """A file that age writes to: the inner layer, frames, entries."""

    def __init__(self, manifest: Manifest, secret: SourceSecret | None, sink: Sink) -> None:
        self._manifest = manifest
        self._opener = Opener(secret)
        self._frames = FrameReader()
        self._content = _Content(manifest, sink)
        self._opens = secret is not None
        self.error: Exception | None = None

    def write(self, data: Any) -> int:
        octets = bytes(data)
        try:
            self._take(self._opener.feed(octets))
        except Exception as error:
            self.error = error
            raise
        return len(octets)

    def flush(self) -> None: ...

    def end(self) -> None:
        self._take(self._opener.end())
        header, manifest = self._opener.header, self._manifest
        assert header is not None
        if (header.log, header.sequence, header.source) != (
            manifest.log,
            manifest.sequence,
            manifest.source,
        ):
            raise frames.broken("its inner layer is that of another backup")
        if self._opens:
            self._frames.end()
            self._content.end()

    def _take(self, plain: bytes) -> None:
        for frame in self._frames.feed(plain):
            self._content.take(frame)


class _Content:
    """Frames -> entries, each held to its digest and all of them to the manifest."""

    def __init__(self, manifest: Manifest, sink: Sink) -> None:
        self._manifest, self._sink = manifest, sink
        self._digest = Digest()
        self._open: File | TableHead | None = None
        self._hash, self._octets = hashlib.sha256(), 0
        self._rows = TableHash()
        self._long = bytearray()
        self._tables: dict[str, tuple[int, str]] = {}
        self._seen: set[str] = set()
        self._done = False

    def take(self, frame: frames.Frame) -> None:
        if self._done:
            raise frames.broken("it goes on after its end")
        match frame, self._open:
            case File(), None:
                self._begin_file(frame)
            case Data(data=data), File():
                self._hash.update(data)
                self._octets += len(data)
                self._sink.data(data)
            case TableHead(), None:
                self._begin_table(frame)
            case Rows(rows=rows), TableHead():
                self._add(rows)
            case Piece(), TableHead():
                self._piece(frame)
            case End(), File() | TableHead():
                self._close(frame, self._open)
            case Done(), None:
                if frame != self._digest.done():
                    raise frames.broken("its entries are not all there")
                self._done = True
            case _:
                raise frames.broken(f"a {type(frame).__name__} where there can be none")

    def end(self) -> None:
        if not self._done:
            raise frames.broken("it ends before its end")
        if self._digest.done().sha256.hex() != self._manifest.content:
            raise frames.broken("it is not the content that was sealed")
        told = {name: (count.rows, count.sha256) for name, count in self._manifest.tables.items()}
        if told != self._tables:
            raise frames.broken("its tables are not those that were sealed")

    def _begin_file(self, head: File) -> None:
        path = PurePosixPath(head.path)
        if path.is_absolute() or not path.parts or ".." in path.parts or head.path in self._seen:
            raise frames.broken(f"a file named {head.path[:80]!r}")
        self._seen.add(head.path)
        self._open, self._hash, self._octets = head, hashlib.sha256(), 0
        self._sink.file(path, head.mode & 0o777, folder=head.path.endswith("/"))

    def _begin_table(self, head: TableHead) -> None:
        if head.name in self._tables:
            raise frames.broken(f"the table {head.name[:60]!r} twice")
        self._open, self._rows = head, TableHash()
        self._sink.table(head.name, head.columns)

    def _add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        assert isinstance(self._open, TableHead)
        for row in rows:
            if len(row) != len(self._open.columns):
                raise frames.broken(f"a row of {self._open.name[:60]} with {len(row)} values")
            self._rows.add(row)
        self._sink.rows(rows)

    def _piece(self, piece: Piece) -> None:
        self._long += piece.data
        if len(self._long) > _LONGEST_ROW:
            raise frames.broken("a row longer than any")
        if not piece.more:
            row = frames.decode_row(bytes(self._long))
            self._long.clear()
            self._add([row])

    def _close(self, end: End, head: File | TableHead) -> None:
        if isinstance(head, File):
            name, found = head.path, End(self._octets, self._hash.digest())
            self._sink.file_end()
        else:
            name, found = head.name, self._rows.end()
            self._tables[name] = (end.count, end.sha256.hex())
        if found != end or self._long:
            raise frames.broken(f"{name[:80]} does not have the digest it was written with")
        self._digest.add(name, end)
        self._open = None


def _unreadable(path: Path, error: OSError) -> BadRequest:
    return BadRequest(
        f"cannot read {path}: {error.strerror}",
        field="backup",
        rule="backup.file",
        remedy="name the .age file; its .manifest lies beside it",
    )
