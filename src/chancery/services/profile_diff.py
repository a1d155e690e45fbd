"""What changed between two definitions, or two certificates, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from chancery.domain.names import SHORT_NAMES
from chancery.domain.profile import EKU_NAMES
from chancery.wire import documents

_KEYS: Final = {
    # Lists whose members have a name: compared by it, wherever they stand.
    "san": "kind",
    "attributes": "oid",
    "policies": "oid",
    "custom": "oid",
    "extensions": "name",
}
_ORDERED: Final = frozenset({"attributes", "authorities"})
"""Lists in which the order says something."""

_NAMES: Final = SHORT_NAMES | {oid: name for name, oid in EKU_NAMES.items()}
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class Change:
    """*field* as forms and errors name it; None where it was not there, or is no more."""

    field: str
    old: str | None
    new: str | None


def differences(old: object, new: object) -> tuple[Change, ...]:
    """What changed from *old* to *new*: dataclasses of policy, or decoded certificates."""
    return tuple(_walk("", documents.to_builtin(old), documents.to_builtin(new)))


def said(field: str, value: object) -> str:
    """One value as people read it: days for seconds, names for OIDs, yes and no."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {said(key, item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(said(field, item) for item in value) or "none"
    if isinstance(value, str):
        return _NAMES.get(value, value) or "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and field.endswith("_s"):
        return duration(value)
    return "none" if value is None else str(value)


def duration(seconds: int) -> str:
    """The largest unit that divides it: 90 days, 36 hours."""
    for length, unit in _UNITS:
        if seconds and seconds % length == 0:
            number = seconds // length
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return "0 seconds"


def _walk(path: str, old: object, new: object) -> Iterator[Change]:
    if old == new:
        return
    leaf = path.rpartition(".")[2].partition("[")[0]
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{path}.{key}" if path else str(key)
            yield from _member(below, old, new, key)
    elif leaf in _KEYS and isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield from _lists(path, leaf, old, new)
    else:
        yield Change(path, said(leaf, old), said(leaf, new))


def _member(path: str, old: dict[str, Any], new: dict[str, Any], key: str) -> Iterator[Change]:
    if key not in new:
        yield Change(path, said(key, old[key]), None)
    elif key not in old:
        yield Change(path, None, said(key, new[key]))
    else:
        yield from _walk(path, old[key], new[key])


def _lists(path: str, leaf: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    before, after = _by_name(leaf, old), _by_name(leaf, new)
    for name, member in before.items():
        where = f"{path}[{name}]"
        if name in after:
            yield from _walk(where, member, after[name])
        else:
            yield Change(where, said(leaf, member), None)
    for name, member in after.items():
        if name not in before:
            yield Change(f"{path}[{name}]", None, said(leaf, member))
    stayed = [name for name in before if name in after]
    order = [name for name in after if name in before]
    if leaf in _ORDERED and stayed != order:
        yield Change(f"{path} (order)", ", ".join(stayed), ", ".join(order))


def _by_name(leaf: str, members: Sequence[Any]) -> dict[str, Any]:
    """Members by what they are called; the second OU is ``OU 2``."""
    found: dict[str, Any] = {}
    for member in members:
        name = str(member[_KEYS[leaf]])
        name = _NAMES.get(name, name)
        unique = name
        for number in count(2):
            if unique not in found:
                break
            unique = f"{name} {number}"
        found[unique] = member
    return found
