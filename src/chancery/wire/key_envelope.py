"""What an encryption of ours looks like, so that it can name the key and version it needs.

    format    1 octet, 01
    key       16 octets, the key's id (a UUID)
    version   4 octets, big-endian
    nonce     12 octets
    sealed    AES-GCM ciphertext, then its tag of 16 octets

The additional authenticated data are the first 21 octets, then the caller's own.
As text it is ``chy1.`` and base64url without padding.
"""

import base64
import uuid
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest

_FORMAT: Final = 1
_HEADER: Final = 1 + 16 + 4
NONCE: Final = 12
TAG: Final = 16
PREFIX: Final = "chy1."


@dataclass(frozen=True, slots=True)
class Envelope:
    key_id: str
    version: int
    nonce: bytes
    sealed: bytes


def header(key_id: str, version: int) -> bytes:
    """The octets that name the key; the caller's additional data follow them."""
    return bytes([_FORMAT]) + uuid.UUID(key_id).bytes + version.to_bytes(4)


def encode(envelope: Envelope) -> str:
    octets = header(envelope.key_id, envelope.version) + envelope.nonce + envelope.sealed
    return PREFIX + base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(text: str) -> Envelope:
    """Raises BadRequest."""
    body = text.strip()
    try:
        if not body.startswith(PREFIX):
            raise ValueError
        body = body[len(PREFIX) :]
        octets = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        if len(octets) < _HEADER + NONCE + TAG or octets[0] != _FORMAT:
            raise ValueError
        version = int.from_bytes(octets[17:_HEADER])
        found = Envelope(
            str(uuid.UUID(bytes=octets[1:17])),
            version,
            octets[_HEADER : _HEADER + NONCE],
            octets[_HEADER + NONCE :],
        )
        if encode(found) != PREFIX + body:
            raise ValueError  # base64 has spare bits: one value, one encoding
    except ValueError:
        raise BadRequest(
            "this is no ciphertext of ours",
            field="ciphertext",
            rule="ciphertext.form",
            remedy=f"send it as it was given out: it begins with {PREFIX}",
        ) from None
    return found
