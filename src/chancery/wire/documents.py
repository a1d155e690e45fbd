"""JSON documents of the domain's frozen dataclasses: strict in, canonical out.

Unknown keys are refused at every depth and nothing is coerced (no "1" for 1).
Octets are base64, enumerations their value, tuples arrays.
"""

import dataclasses
import functools
import hashlib
import operator
import re
import types
import typing
from functools import cache
from typing import Any, Final, TypeVar, Union

import msgspec

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import wording

T = TypeVar("T")

MAX_DOCUMENT: Final = 1 << 20
"""Longest document we parse, in octets."""

_WHERE: Final = re.compile(r"(?P<what>.*) - at `\$?(?P<path>[^`]*)`\Z", re.DOTALL)
_MEMBER: Final = re.compile(r"(?:unknown|required) field `(?P<member>[^`]*)`")
_EXAMPLES: Final = {
    field: f"`chancery {command} show NAME --json` prints an example"
    for field, command in (("profile", "profile"), ("dn_profile", "dn-profile"), ("ra", "ra"))
} | {"authority": "`chancery ca create --help` lists what there is"}
"""Where a person finds such a document, by the name it has in errors."""


@cache
def _shape(kind: Any) -> Any:
    """*kind* with each dataclass replaced by a Struct that forbids unknown keys.

    msgspec decodes stdlib dataclasses by itself, but lets unknown keys pass
    in them; so a document is held against this shape first.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return msgspec.defstruct(
            kind.__name__,
            [_member(field, hints[field.name]) for field in dataclasses.fields(kind)],
            forbid_unknown_fields=True,
            kw_only=True,
        )
    arguments = tuple(
        argument if argument is ... else _shape(argument) for argument in typing.get_args(kind)
    )
    if not arguments:
        return kind
    if typing.get_origin(kind) is types.UnionType:
        return functools.reduce(operator.or_, arguments)
    return types.GenericAlias(typing.get_origin(kind), arguments)


def _member(field: dataclasses.Field[Any], hint: Any) -> tuple[Any, ...]:
    if field.default is field.default_factory is dataclasses.MISSING:
        return field.name, _shape(hint)
    return field.name, Union[_shape(hint), msgspec.UnsetType], msgspec.UNSET  # noqa: UP007


def decode(kind: type[T], data: object, field: str) -> T:
    """Read a *kind* from JSON (bytes) or from what JSON decodes to (anything else).

    *field* names the document in errors: a wrong kind of name in the second
    rule is ``BadRequest(field="profile.san[1].kind")``.
    """
    shape: Any = kind  # types are hashable, which ``type[T]`` alone does not promise
    try:
        if isinstance(data, bytes | bytearray | memoryview):
            if len(data) > MAX_DOCUMENT:
                raise TooLarge(
                    f"a document of more than {MAX_DOCUMENT} octets",
                    field=field,
                    rule="document.size",
                    remedy="send less",
                )
            msgspec.json.decode(data, type=_shape(shape))
            return msgspec.json.decode(data, type=kind)
        msgspec.convert(data, type=_shape(shape))
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), shape, field) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"not JSON: {error}",
            field=field,
            rule="document.json",
            remedy="send one JSON document in UTF-8",
        ) from None
    except RecursionError:
        raise BadRequest(
            "a document nested too deeply", field=field, rule="document.json", remedy="flatten it"
        ) from None


def recall(kind: type[T], stored: str) -> T:
    """Read what ``encode`` wrote, perhaps in an older release: fields that went since are let go.

    For records alone; what comes from outside goes through ``decode``.
    """
    return msgspec.json.decode(stored.encode(), type=kind)


def _invalid(message: str, kind: Any, field: str) -> BadRequest:
    """Say where, in the requester's own terms: msgspec's ``$.san[0].kind`` under *field*."""
    found = _WHERE.fullmatch(message)
    what, path = (found["what"], found["path"]) if found else (message, "")
    where, remedy = field + path, _EXAMPLES.get(field, "GET /api/openapi.json describes it")
    rule = "document.type"
    if member := _MEMBER.search(what):
        name = member["member"][:80]
        where += "." + name
        if "unknown" in what:
            rule = "document.unknown-key"
            near = wording.meant(kind, path, name)
            remedy = f"did you mean {near!r}?" if near else f"remove it; {remedy}"
    said = wording.in_words(what, wording.allowed_at(kind, path))
    return BadRequest(f"{where}: {said[:400]}", field=where, rule=rule, remedy=remedy)


def encode(value: object) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8.  Equal values give equal octets."""
    return msgspec.json.encode(value, order="sorted")


def to_builtin(value: object) -> object:
    """What ``encode`` writes, as dicts, lists, strings, numbers, booleans and None."""
    return msgspec.to_builtins(value, order="sorted", str_keys=True)


def sha256(value: object) -> str:
    """Hex SHA-256 of the canonical JSON."""
    return hashlib.sha256(encode(value)).hexdigest()
