"""General names as stored: a JSON array of their texts (``["dns:www.example.org"]``)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from chancery.domain.names import GeneralName, NameKind

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[str]).decode


def encode(names: Iterable[GeneralName]) -> str:
    return _encode([name.text for name in names]).decode()


def decode(stored: str) -> tuple[GeneralName, ...]:
    return tuple(_name(text) for text in _decode(stored))


def _name(text: str) -> GeneralName:
    kind, _, value = text.partition(":")
    return GeneralName(NameKind(kind), value)


@lru_cache
def spellings(wanted: str) -> tuple[str, ...]:
    """The stored texts a search may mean: *wanted* itself, or one per kind if it names none."""
    wanted = wanted.lower()
    if wanted.partition(":")[0] in set(NameKind):
        return (wanted,)
    return tuple(f"{kind.value}:{wanted}" for kind in NameKind)
