"""Which door and operation an address names (RFC 9811 §3.3, RFC 9483 §6.1)."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import NotFound
from chancery.wire import cmp
from chancery.wire.cmp_kinds import Body

DEFAULT_LABEL: Final = "main"
"""The door of addresses that name none."""
_FOLLOWING: Final = frozenset({Body.CERTCONF, Body.POLLREQ, Body.ERROR, Body.NESTED})
OPERATIONS: Final[dict[str, frozenset[Body]]] = {
    "initialization": frozenset({Body.IR}),
    "certification": frozenset({Body.CR}),
    "pkcs10": frozenset({Body.P10CR}),
    "keyupdate": frozenset({Body.KUR}),
    "revocation": frozenset({Body.RR}),
    "nested": frozenset({Body.NESTED}),
    "getcacerts": frozenset({Body.GENM}),
    "getrootupdate": frozenset({Body.GENM}),
    "getcertreqtemplate": frozenset({Body.GENM}),
    "getcrls": frozenset({Body.GENM}),
    "serverkeygen": frozenset({Body.IR, Body.CR, Body.KUR}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A door's label, and the operation that the path names, if any."""

    label: str
    operation: str | None


def place(path: str) -> Place:
    """Read a path; NotFound if it names nothing here."""
    parts = [part for part in path.split("/") if part]
    if parts[:2] == [".well-known", "cmp"]:
        rest = parts[2:]
        label = DEFAULT_LABEL
        if rest[:1] == ["p"] and len(rest) > 1:
            label, rest = rest[1], rest[2:]
    else:
        rest = parts[1:]
        label, rest = (rest[0], rest[1:]) if rest else (DEFAULT_LABEL, [])
    if len(rest) > 1 or (rest and rest[0] not in OPERATIONS):
        raise NotFound(
            f"nothing is served at {path[:200]}",
            field="path",
            rule="cmp.path",
            remedy="use /.well-known/cmp/p/LABEL",
        )
    return Place(label, rest[0] if rest else None)


def check(found: Place, kind: Body) -> None:
    """Raise BadRequest unless a message of that kind belongs at the address."""
    if found.operation is None or kind in _FOLLOWING:
        return
    if kind not in OPERATIONS[found.operation]:
        raise cmp.bad(f"a message of another kind belongs to {found.operation}", "cmp.operation")
