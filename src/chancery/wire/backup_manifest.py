"""The manifest beside a backup: what it is, sealed by the key of the audit log.

The seal is a checkpoint of the log (C2SP tlog-checkpoint) whose extension line
names the SHA-256 of the manifest: whoever keeps ``audit.vkey`` can tell a
backup of this instance from any other, before anything of it is opened.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.wire import documents, note
from chancery.wire.note import VerifierKey

FORMAT: Final = "chancery-backup-manifest/1"
SUFFIX: Final = ".manifest"
_EXTENSION: Final = "chancery-backup sha256:"
_MAX: Final = 1 << 20  # octets


@dataclass(frozen=True, slots=True)
class TableCount:
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """*checkpoint* is a signed note that the restored log must hash to; *schema* a revision.

    *file* is the age file beside it, with its length and SHA-256; *content*
    is the SHA-256 of everything inside; *approved_by* are the people whose
    order it was made by, *previous* the manifest before (hex SHA-256, "" for
    none).
    """

    format: str
    log: str
    verifier: str
    sequence: int
    made_at: int
    product: str
    schema: str
    engine: str
    source: str
    device: str
    recipient: str
    file: str
    octets: int
    sha256: str
    content: str
    tables: Mapping[str, TableCount]
    files: int
    file_octets: int
    checkpoint: str
    approved_by: tuple[str, ...]
    previous: str

    def encode(self) -> bytes:
        return documents.encode(self)


@dataclass(frozen=True, slots=True)
class _Sealed:
    manifest: str
    seal: str


def extension(manifest: bytes) -> str:
    """The line that a checkpoint must carry to seal *manifest*."""
    return _EXTENSION + hashlib.sha256(manifest).hexdigest()


def join(manifest: bytes, seal: bytes) -> bytes:
    """The manifest's file."""
    return documents.encode(_Sealed(manifest.decode(), seal.decode())) + b"\n"


def open_manifest(data: bytes, keys: "tuple[VerifierKey, ...]") -> Manifest:
    """Return what *data* says if one of *keys* sealed it.  BadRequest says what is wrong."""
    if len(data) > _MAX:
        raise _bad("longer than any manifest", "backup.manifest")
    sealed, manifest = _parse(data)
    key = next((key for key in keys if str(key) == manifest.verifier), None)
    if key is None:
        raise _bad(
            f"it was sealed by {manifest.verifier[:80]}, which is not trusted here",
            "backup.signer",
            "is it a backup of this instance? give the audit.vkey you keep with --vkey",
        )
    checkpoint = note.parse_checkpoint(note.open_note(sealed.seal.encode(), key))
    if checkpoint.extensions != (extension(sealed.manifest.encode()),):
        raise _bad("its seal is that of another manifest", "backup.seal")
    covered = note.parse_checkpoint(note.open_note(manifest.checkpoint.encode(), key))
    if covered.origin != manifest.log or checkpoint.origin != manifest.log:
        raise _bad("its checkpoints are those of another log", "backup.seal")
    return manifest


def peek(data: bytes) -> Manifest:
    """What it claims, not verified: to say whose it is."""
    return _parse(data)[1]


def _parse(data: bytes) -> tuple[_Sealed, Manifest]:
    try:
        sealed = documents.decode(_Sealed, data, "manifest")
        manifest = documents.decode(Manifest, sealed.manifest.encode(), "manifest")
    except BadRequest as error:
        raise _bad(str(error), "backup.manifest") from error
    if join(sealed.manifest.encode(), sealed.seal.encode()) != data:
        raise _bad("it is not written as a manifest is", "backup.manifest")
    if manifest.format != FORMAT:
        raise _bad(
            f"of the form {manifest.format[:40]!r}, this release reads {FORMAT}",
            "backup.format",
            "use the release that made it",
        )
    return sealed, manifest


def _bad(why: str, rule: str, remedy: str | None = None) -> BadRequest:
    return BadRequest(
        f"the manifest of this backup: {why}",
        field="manifest",
        rule=rule,
        remedy=remedy or "take another copy of this backup, or an older one",
    )
