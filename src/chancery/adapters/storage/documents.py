"""Domain values as JSON text columns.

What is read here was written here, so this reads leniently: a field that a
later release drops must not make old records unreadable.
"""

from typing import Any, Final, TypeVar

import msgspec

from chancery.wire import documents

T = TypeVar("T")

_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


def encode(value: object) -> str:
    """The canonical document: a profile's text here hashes to the sha256 of its version."""
    return documents.encode(value).decode()


def decode(kind: type[T], stored: str) -> T:
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    value: T = decoder.decode(stored)
    return value
