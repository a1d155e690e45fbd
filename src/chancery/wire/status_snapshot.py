"""A snapshot of status for relying parties that cannot ask: who is revoked, signed, in one file.

The file is a signed note (C2SP) whose text ends in a line
``status-snapshot <hex SHA-256 of the rest>``, an empty line more, and the rest
in MessagePack.
"""

import hashlib
from typing import Final

import msgspec

from chancery.domain.errors import BadRequest
from chancery.wire import note, status_filter
from chancery.wire.status_filter import SerialSet

LINE: Final = "status-snapshot"
_MARK: Final = b"\n\n--\n"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One authority.  *known* certificates had not ended, *revoked* of them were revoked or held.

    *keys* are the subjectKeyIdentifiers of its keys; *mistakes* serials that
    the filter holds wrongly.
    """

    authority: str
    keys: tuple[bytes, ...]
    known: int
    revoked: int
    filter: bytes
    mistakes: tuple[str, ...]


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """*taken_at* is Unix seconds; *valid_until* when to get a newer one."""

    taken_at: int
    valid_until: int
    parts: tuple[Part, ...]


def encode(snapshot: Snapshot) -> tuple[bytes, str]:
    """(the rest of the file, the line to have signed)."""
    body = msgspec.msgpack.encode(snapshot)
    return body, f"{LINE} {hashlib.sha256(body).hexdigest()}"


def join(signed: bytes, body: bytes) -> bytes:
    return signed + _MARK + body


def open_snapshot(data: bytes, key: note.VerifierKey) -> Snapshot:
    """Read a file and check its signature.  Raises BadRequest."""
    signed, mark, body = data.partition(_MARK)
    if not mark:
        raise _bad("it is no snapshot")
    text = note.open_note(signed, key)
    if text.rstrip("\n").rpartition("\n")[2] != f"{LINE} {hashlib.sha256(body).hexdigest()}":
        raise _bad("its content is not what was signed")
    try:
        return msgspec.msgpack.decode(body, type=Snapshot)
    except (msgspec.DecodeError, ValueError) as error:
        raise _bad(str(error)) from None


def revoked(part: Part, serial: str) -> bool:
    """Whether a certificate of that authority was revoked or held."""
    serials: SerialSet = status_filter.decode(part.authority.encode(), part.filter, part.revoked)
    return serial in serials and serial not in part.mistakes


def _bad(why: str) -> BadRequest:
    return BadRequest(f"snapshot: {why}", field="snapshot", rule="snapshot.content")
