"""What was asked, beside what becomes of it: kept, changed, left out, or added by the CA."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_SAN: Final = "2.5.29.17"


class Fate(StrEnum):
    KEPT = "kept"
    CHANGED = "changed"
    DROPPED = "dropped"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Line:
    """*what*: ``subject.CN``, ``name``, or an extension's name.  The texts may be hostile."""

    what: str
    asked: str | None
    becomes: str | None
    fate: Fate


def compare(asked: Mapping[str, Any], becomes: Mapping[str, Any]) -> tuple[Line, ...]:
    """Compare what ``wire.describe`` says of a request and of the certificate made of it."""
    extensions = {one["oid"]: one for one in becomes["extensions"]}
    names = extensions.pop(_SAN, {"value": ()})["value"]
    wanted = {one["oid"]: one for one in asked["extensions"] if one["oid"] != _SAN}
    return (
        *_subject(asked["subject"], becomes["subject"]),
        *_names(asked["names"], names),
        *_extensions(wanted, extensions),
    )


def _subject(asked: Iterable[str], becomes: Iterable[str]) -> Iterator[Line]:
    before, after = _grouped(asked), _grouped(becomes)
    for attribute in dict.fromkeys((*after, *before)):
        old, new = list(before.get(attribute, ())), list(after.get(attribute, ()))
        for value in list(new):
            if value in old:
                old.remove(value)
                new.remove(value)
                yield _line(f"subject.{attribute}", value, value)
        while old or new:
            yield _line(
                f"subject.{attribute}", old.pop(0) if old else None, new.pop(0) if new else None
            )


def _grouped(attributes: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in attributes:
        name, _, value = text.partition("=")
        found.setdefault(name, []).append(value)
    return found


def _names(asked: Iterable[str], becomes: Iterable[str]) -> Iterator[Line]:
    before, after = list(asked), list(becomes)
    for name in dict.fromkeys((*after, *before)):
        yield _line("name", name if name in before else None, name if name in after else None)


def _extensions(
    asked: Mapping[str, Mapping[str, Any]], becomes: Mapping[str, Mapping[str, Any]]
) -> Iterator[Line]:
    for oid in dict.fromkeys((*becomes, *asked)):
        old, new = asked.get(oid), becomes.get(oid)
        one = new or old
        assert one is not None  # it is in one of them
        yield _line(
            one["name"], plain(old["value"]) if old else None, plain(new["value"]) if new else None
        )


def _line(what: str, asked: str | None, becomes: str | None) -> Line:
    if asked is None:
        fate = Fate.ADDED
    elif becomes is None:
        fate = Fate.DROPPED
    else:
        fate = Fate.KEPT if asked == becomes else Fate.CHANGED
    return Line(what, asked, becomes, fate)


def plain(value: object) -> str:
    """One line of text for a decoded value of any shape."""
    if isinstance(value, Mapping):
        parts = ((key, one) for key, one in value.items() if one not in (None, [], ()))
        return ", ".join(f"{key}: {plain(one)}" for key, one in parts)
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
