"""Search filters as operators write them (RFC 4515), with places for values; as BER (RFC 4511).

A value never becomes part of the text: the filter is read first, and values
are put into the finished structure.  So no value can change what is asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.wire import der

MAX_TEXT: Final = 4096
MAX_DEPTH: Final = 20
IN_CHAIN: Final = "1.2.840.113556.1.4.1941"  # [MS-ADTS] 3.1.1.3.4.4.3: through nested groups

_SETS: Final = {"&": 0, "|": 1}
_NOT, _EQUAL, _SUBSTRINGS, _PRESENT, _EXTENSIBLE = 2, 3, 4, 7, 9
_ORDERED: Final = {">": 5, "<": 6, "~": 8}
_NAME: Final = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)"
_SIMPLE: Final = re.compile(rf"({_NAME}(?:;[A-Za-z0-9-]+)*)([><~]?)=")
_RULED: Final = re.compile(rf"({_NAME})?((?i::dn)?)(?::({_NAME}))?:=")
_VALUE: Final = re.compile(r"(?:\\[0-9A-Fa-f]{2}|[^\\()\x00])*")
_PART: Final = re.compile(r"\\([0-9A-Fa-f]{2})|\{([a-z]+)\}")

_Value = tuple[bytes | str, ...]
"""Octets, and names of places."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was read; ``encode`` fills its places."""

    text: str
    places: frozenset[str]
    _root: "_Node"

    def encode(self, **values: str | bytes) -> bytes:
        """BER of the filter with *values* in their places; KeyError for one not given."""
        octets = {k: v.encode() if isinstance(v, str) else v for k, v in values.items()}
        return self._root.encode(octets)


@dataclass(frozen=True, slots=True)
class _Node:
    """A choice of ``Filter`` (RFC 4511 §4.5.1.7): its tag, and what it holds."""

    tag: int
    parts: tuple["_Node", ...] = ()
    name: str = ""
    values: tuple[tuple[int, _Value], ...] = ()
    rule: str | None = None
    in_dn: bool = False

    def encode(self, given: Mapping[str, bytes]) -> bytes:
        if self.tag == _PRESENT:
            return der.implicit(_PRESENT, self.name.encode())
        if self.tag in _SETS.values() or self.tag == _NOT:
            inside = b"".join(part.encode(given) for part in self.parts)
        elif self.tag == _SUBSTRINGS:
            pieces = (der.implicit(k, _filled(value, given)) for k, value in self.values)
            inside = der.octet_string(self.name.encode()) + der.sequence(*pieces)
        elif self.tag == _EXTENSIBLE:
            inside = self._ruled(given)
        else:
            ((_, value),) = self.values
            inside = der.octet_string(self.name.encode()) + der.octet_string(_filled(value, given))
        return der.implicit(self.tag, inside, constructed=True)

    def _ruled(self, given: Mapping[str, bytes]) -> bytes:
        rule = der.implicit(1, self.rule.encode()) if self.rule else b""
        name = der.implicit(2, self.name.encode()) if self.name else b""
        in_dn = der.implicit(4, b"\xff") if self.in_dn else b""  # DEFAULT FALSE
        return rule + name + der.implicit(3, _filled(self.values[0][1], given)) + in_dn


def _filled(value: _Value, given: Mapping[str, bytes]) -> bytes:
    return b"".join(part if isinstance(part, bytes) else given[part] for part in value)


def parse(text: str) -> Filter:
    """Read a filter; ``{login}`` in a value is a place.  BadRequest if it is no filter."""
    if len(text) > MAX_TEXT:
        raise _bad(text)
    parser = _Parser(text)
    root = parser.filter(0)
    if parser.position != len(text):
        raise _bad(text)
    return Filter(text, frozenset(parser.places), root)


def both(first: Filter, second: Filter | None) -> Filter:
    """A filter for which both must hold."""
    if second is None:
        return first
    root = _Node(_SETS["&"], (first._root, second._root))
    return Filter(f"(&{first.text}{second.text})", first.places | second.places, root)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.places: set[str] = set()

    def filter(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise _bad(self.text)
        self._expect("(")
        sign = self.text[self.position : self.position + 1]
        if sign in _SETS:
            self.position += 1
            node = _Node(_SETS[sign], self._list(depth))
        elif sign == "!":
            self.position += 1
            node = _Node(_NOT, (self.filter(depth + 1),))
        else:
            node = self._item()
        self._expect(")")
        return node

    def _list(self, depth: int) -> tuple[_Node, ...]:
        found = []
        while self.text[self.position : self.position + 1] == "(":
            found.append(self.filter(depth + 1))
        if not found:  # RFC 4526 gives "(&)" a meaning; not every directory does
            raise _bad(self.text)
        return tuple(found)

    def _item(self) -> _Node:
        if simple := _SIMPLE.match(self.text, self.position):
            self.position = simple.end()
            name, sign = simple.groups()
            raw = self._raw()
            if sign:
                return _Node(_ORDERED[sign], name=name, values=((0, self._value(raw)),))
            return self._equality(name, raw)
        ruled = _RULED.match(self.text, self.position)
        if ruled is None or not (ruled[1] or ruled[3]):
            raise _bad(self.text)
        self.position = ruled.end()
        values = ((0, self._value(self._raw())),)
        return _Node(
            _EXTENSIBLE, name=ruled[1] or "", values=values, rule=ruled[3], in_dn=bool(ruled[2])
        )

    def _equality(self, name: str, raw: str) -> _Node:
        if raw == "*":
            return _Node(_PRESENT, name=name)
        pieces = raw.split("*")  # a star in a value is written \2a
        if len(pieces) == 1:
            return _Node(_EQUAL, name=name, values=((0, self._value(raw)),))
        kinds = [0, *[1] * (len(pieces) - 2), 2]  # initial, any, final
        values = tuple((k, self._value(p)) for k, p in zip(kinds, pieces, strict=True) if p)
        if not values or any(not piece for piece in pieces[1:-1]):
            raise _bad(self.text)
        return _Node(_SUBSTRINGS, name=name, values=values)

    def _raw(self) -> str:
        found = _VALUE.match(self.text, self.position)
        assert found is not None  # it may be empty
        self.position = found.end()
        return found[0]

    def _value(self, raw: str) -> _Value:
        parts: list[bytes | str] = []
        position = 0
        for found in _PART.finditer(raw):
            parts.append(raw[position : found.start()].encode())
            if found[2]:
                self.places.add(found[2])
                parts.append(found[2])
            else:
                parts.append(bytes.fromhex(found[1]))
            position = found.end()
        parts.append(raw[position:].encode())
        return tuple(part for part in parts if part)

    def _expect(self, character: str) -> None:
        if self.text[self.position : self.position + 1] != character:
            raise _bad(self.text)
        self.position += 1


def _bad(text: str) -> BadRequest:
    return BadRequest(
        f"{text[:100]!r} is not a search filter",
        field="filter",
        rule="ldap.filter",
        remedy="write it like (&(objectClass=person)(uid={login})), see RFC 4515",
    )
