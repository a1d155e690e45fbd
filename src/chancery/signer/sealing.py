"""AES-256-GCM wrapping, and the one canonical form of what it authenticates."""

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY: Final = 32
NONCE: Final = 12
"""Random, 96 bits (NIST SP 800-38D §8.2.2).

Its bound of 2^32 wraps under one key is further off than keys in any vault.
"""


class Tampered(Exception):
    """The wrapped octets, the nonce or the authenticated metadata are not what was written."""


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: equal values give equal octets."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def wrap(
    key: bytearray, plain: bytes | bytearray, metadata: Mapping[str, object]
) -> dict[str, str]:
    """Return ``nonce`` and ``wrapped`` (ciphertext and tag), in base64."""
    nonce = secrets.token_bytes(NONCE)
    wrapped = AESGCM(key).encrypt(nonce, plain, canonical(metadata))
    return {"nonce": encode(nonce), "wrapped": encode(wrapped)}


def unwrap(key: bytearray, nonce: str, wrapped: str, metadata: Mapping[str, object]) -> bytearray:
    """Undo ``wrap`` into a buffer that the caller wipes.  Raises Tampered."""
    try:
        sealed = decode(wrapped)
        plain = bytearray(len(sealed) - 16)
        AESGCM(key).decrypt_into(decode(nonce), sealed, canonical(metadata), plain)
    except (InvalidTag, ValueError, TypeError):
        raise Tampered from None
    return plain


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text, validate=True)
