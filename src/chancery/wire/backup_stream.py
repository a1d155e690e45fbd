"""The inner layer: a stream in chunks of AES-256-GCM, under a key wrapped for the source.

::

    "chancery-backup/1\\n"  header length (4)  header: canonical JSON
    chunk 0  chunk 1 ... last chunk        each: up to CHUNK octets and a tag of 16

The nonce of a chunk is its number (11 octets, big endian) and whether it is the
last (1): no chunk can be left out, moved or taken for the end (STREAM, as in
age).  What precedes the chunks is authenticated with each of them.  The key is
random for each backup, so no nonce repeats.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery.domain.errors import BadRequest
from chancery.wire import documents
from chancery.wire.backup_source import SourcePublic, SourceSecret

MAGIC: Final = b"chancery-backup/1\n"
CHUNK: Final = 1 << 20
_TAG: Final = 16
_KEY: Final = 32
_MAX_HEADER: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """*wrapped*: the chunks' key under the source key (HPKE); *source* is that key's id."""

    log: str
    sequence: int
    source: str
    wrapped: bytes


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])


def _context(log: str, sequence: int) -> bytes:
    return f"{log} {sequence}".encode()


def seal(plain: Iterable[bytes], source: SourcePublic, log: str, sequence: int) -> Iterator[bytes]:
    """Encrypt *plain*, however it is cut, and yield the stream; memory holds two chunks."""
    key = secrets.token_bytes(_KEY)
    wrapped = source.wrap(key, _context(log, sequence))
    header = documents.encode(StreamHeader(log, sequence, source.id, wrapped))
    front = MAGIC + len(header).to_bytes(4) + header
    yield front
    bound, cipher = hashlib.sha256(front).digest(), AESGCM(key)
    buffer, number = bytearray(), 0
    for part in plain:
        buffer += part
        while len(buffer) > CHUNK:  # the last one may be full, but never followed by nothing
            yield cipher.encrypt(_nonce(number, last=False), bytes(buffer[:CHUNK]), bound)
            del buffer[:CHUNK]
            number += 1
    yield cipher.encrypt(_nonce(number, last=True), bytes(buffer), bound)


class Opener:
    """Decrypts a stream as it arrives.  Without *secret* it reads the header alone.

    Nothing is returned that was not authentic; only ``end`` says that it was whole.
    """

    def __init__(self, secret: SourceSecret | None) -> None:
        self._secret = secret
        self._buffer = bytearray()
        self._cipher: AESGCM | None = None
        self._bound = b""
        self._number = 0
        self.header: StreamHeader | None = None

    def feed(self, data: bytes) -> bytes:
        """Take the next octets; return what is plain by now.  BadRequest if they are not ours."""
        self._buffer += data
        if self.header is None and not self._begin():
            return b""
        if self._cipher is None:
            self._buffer.clear()
            return b""
        plain = bytearray()
        while len(self._buffer) > CHUNK + _TAG:
            chunk = bytes(self._buffer[: CHUNK + _TAG])
            del self._buffer[: CHUNK + _TAG]
            plain += self._open(chunk, last=False)
        return bytes(plain)

    def end(self) -> bytes:
        """The stream ended here; return the rest.  BadRequest if it was cut short."""
        if self.header is None:
            raise _broken("it ends inside its header")
        return b"" if self._cipher is None else self._open(bytes(self._buffer), last=True)

    def _begin(self) -> bool:
        fixed = len(MAGIC) + 4
        if len(self._buffer) < fixed:
            return False
        if not self._buffer.startswith(MAGIC):
            raise _broken("it does not begin as one")
        length = int.from_bytes(self._buffer[len(MAGIC) : fixed])
        if length > _MAX_HEADER:
            raise _broken(f"a header of {length} octets")
        if len(self._buffer) < fixed + length:
            return False
        front = bytes(self._buffer[: fixed + length])
        header = documents.decode(StreamHeader, front[fixed:], "backup")
        if documents.encode(header) != front[fixed:]:
            raise _broken("its header is not canonical")
        if self._secret is not None:
            found = self._secret.public().id
            if found != header.source:
                raise BadRequest(
                    f"these shares make the source key {found}; the backup is for {header.source}",
                    field="shares",
                    rule="backup.source-other",
                    remedy="bring the shares of that key: `chancery backup verify` shows its id",
                )
            key = self._secret.unwrap(header.wrapped, _context(header.log, header.sequence))
            self._cipher, self._bound = AESGCM(key), hashlib.sha256(front).digest()
        self.header = header
        del self._buffer[: fixed + length]
        return True

    def _open(self, chunk: bytes, *, last: bool) -> bytes:
        assert self._cipher is not None
        try:
            plain = self._cipher.decrypt(_nonce(self._number, last=last), chunk, self._bound)
        except (InvalidTag, ValueError):
            end = " or the stream was cut there" if last else ""
            raise _broken(f"chunk {self._number} was altered{end}") from None
        self._number += 1
        return plain


def _broken(why: str) -> BadRequest:
    return BadRequest(
        f"the inner layer is damaged: {why}",
        field="backup",
        rule="backup.damaged",
        remedy="take another copy of this backup, or an older one",
    )
