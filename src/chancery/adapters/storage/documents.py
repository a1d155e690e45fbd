"""Domain values as JSON text columns.

What is read here was written here, so this reads leniently: a field that a
later release drops must not make old records unreadable.
"""

from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def encode(value: object) -> str:
    return _ENCODER.encode(value).decode()


def decode(kind: type[T], stored: str) -> T:
    value: T = _decoder(kind).decode(stored)
    return value


@lru_cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
