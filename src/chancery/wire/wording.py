"""What msgspec finds wrong with a document, in the words of a person.

``Expected `int | null`, got `str` `` becomes *expected a whole number or null, not text*.
"""

import dataclasses
import difflib
import enum
import re
import types
import typing
from collections.abc import Collection
from typing import Any, Final

_KINDS: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "bytes": "base64",
}
_BOUNDS: Final = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_BOUNDED: Final = re.compile(r"Expected `(\w+)`( of length)? ([<>]=?) (-?\d+)")
_MEMBER: Final = re.compile(r"Object (contains unknown|missing required) field `([^`]*)`")
_VALUE: Final = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_STEP: Final = re.compile(r"\.(\w+)|\[([^\]]*)\]")
_LONGEST: Final = 80


def in_words(message: str, allowed: Collection[str] = ()) -> str:
    """Return *message*, without its path, in words; *allowed* are the values of an enumeration."""
    if found := _EXPECTED.match(message):
        return f"expected {_kinds(found[1])}, not {_kinds(found[2])}"
    if found := _BOUNDED.match(message):
        return f"{_BOUNDS[found[3]]} {found[4]}" + _unit(found[1], found[2], found[4])
    if found := _MEMBER.match(message):
        name = found[2][:_LONGEST]
        return f"there is no field {name!r}" if "unknown" in found[1] else f"{name!r} is missing"
    if found := _VALUE.match(message):
        value = found[1][:_LONGEST]
        return f"{value} is none of: {', '.join(allowed)}" if allowed else f"{value} is no value"
    return message


def _kinds(names: str) -> str:
    return " or ".join(_KINDS.get(name, name) for name in names.split(" | "))


def _unit(kind: str, length: str | None, number: str) -> str:
    if length is None:
        return ""
    unit = "character" if kind == "str" else "entry"
    many = "characters" if kind == "str" else "entries"
    return f" {unit if number == '1' else many}"


def allowed_at(kind: Any, path: str) -> tuple[str, ...]:
    """Return the values of the enumeration at *path* (``.san[0].kind``); empty if it is none."""
    found = _at(kind, path)
    if isinstance(found, type) and issubclass(found, enum.Enum):
        return tuple(str(member.value) for member in found)
    return ()


def meant(kind: Any, path: str, unknown: str) -> str | None:
    """Return the field at *path* in a *kind* whose name is nearest to *unknown*, if one is near."""
    found = _at(kind, path)
    if not dataclasses.is_dataclass(found):
        return None
    near = difflib.get_close_matches(unknown, [f.name for f in dataclasses.fields(found)], 1)
    return near[0] if near else None


def _at(kind: Any, path: str) -> Any:
    """The type at *path*; None where the path leaves what can be said beforehand."""
    for member, _ in _STEP.findall(path):
        arguments = [one for one in typing.get_args(kind) if one is not types.NoneType]
        if not member:
            kind = arguments[0] if arguments else None
        elif isinstance(kind, type) and dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind).get(member)
        else:
            return None
        kind = _present(kind)
    return kind


def _present(kind: Any) -> Any:
    """*kind* without ``| None``."""
    if isinstance(kind, types.UnionType):
        others = [one for one in typing.get_args(kind) if one is not types.NoneType]
        return others[0] if len(others) == 1 else None
    return kind
