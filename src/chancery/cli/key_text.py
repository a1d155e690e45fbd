"""How managed keys look on a terminal, and what their commands share."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import arguments, files, output
from chancery.cli.client import Json
from chancery.cli.text import when
from chancery.domain.errors import BadRequest

MAX_DATA: Final = 700 * 1024
"""Octets that are sent at once."""

Name = Annotated[str, Parameter(help="Name of the key.")]
Group = Annotated[str, Parameter(help="Key group that it belongs to.")]
Template = Annotated[str, Parameter(help="Template that it is made from.")]
Version = Annotated[int | None, Parameter(help="Version; the current one if none is named.")]
Description = Annotated[str | None, Parameter(help="What it is for.")]
Custodian = Annotated[str | None, Parameter(help="Who answers for it.")]
Activation = Annotated[
    str | None, Parameter(help="When it becomes active: 7d, 2026-05-01; now if missing.")
]
Uses = Annotated[
    tuple[str, ...],
    Parameter(
        name="--use", help="Fewer uses than the template; repeatable.  none: it is only kept."
    ),
]
Exportability = Annotated[
    str | None, Parameter(help="Less than the template: N never, E trusted keys only, S any.")
]
Labels = Annotated[
    tuple[str, ...], Parameter(name="--label", help="NAME=TEXT; all that there are.  Repeatable.")
]
Vault = Annotated[str | None, Parameter(help="Vault that it is made in; software if missing.")]
Aad = Annotated[
    str | None, Parameter(help="Additional data in hex, bound to it and needed to decrypt.")
]

COLUMNS: Final = ("name", "group", "kind", "state", "current", "check_value", "rotates_at")
_DATES: Final = (
    "activation",
    "protect_stop",
    "deactivation",
    "suspended",
    "compromised",
    "destroyed",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class NewKey:
    """What a new key is to be: the options of every command that makes one."""

    group: Group
    template: Template
    description: Description = None
    custodian: Custodian = None
    activation: Activation = None
    use: Uses = ()
    exportability: Exportability = None
    vault: Vault = None
    label: Labels = ()

    def body(self, name: str) -> Json:
        """Those parts of a request's body that are given."""
        said = {
            "name": name,
            "group": self.group,
            "template": self.template,
            "description": self.description,
            "custodian": self.custodian,
            "exportability": self.exportability,
            "vault": self.vault,
            "labels": labels(self.label),
            "activation": arguments.when(self.activation, time.time(), "--activation"),
            "uses": [] if self.use == ("none",) else list(self.use) or None,
        }
        return output.given(said)


def labels(given: tuple[str, ...]) -> dict[str, str] | None:
    """``NAME=TEXT`` each; None if there are none."""
    pairs = [one.partition("=") for one in given]
    if wrong := next((name for name, equals, _ in pairs if not equals), None):
        raise BadRequest(f"{wrong!r} is no label", field="--label", remedy="write NAME=TEXT")
    return {name: text for name, _, text in pairs} or None


def shown(key: Json) -> None:
    """A key, and below it its versions with their dates."""
    now = time.time()
    head = {field: value for field, value in key.items() if field != "versions"}
    rotation = head.pop("rotation")
    if rotation["every"]:
        head["rotation"] = f"every {rotation['every']} days"
    output.record(head)
    rows: list[Mapping[str, Any]] = []
    for version in key["versions"]:
        dates = version["dates"]
        told = [f"{name.replace('_', ' ')} {when(dates[name], now)}" for name in _DATES
                if dates[name] is not None]  # fmt: skip
        rows.append(version | {"version": version["number"], "dates": "; ".join(told)})
    print()
    output.table(rows, ("version", "state", "check_value", "origin", "dates"))


def outcome(answer: Json, *, as_json: bool, to: Path | None = None, force: bool = False) -> None:
    """What came of a change: the key; or who must agree first; or a file."""
    if answer.get("data"):
        data = base64.b64decode(answer["data"])
        files.deliver(data, to, force=force, secret=True)
        output.delivered(to, len(data), as_json=as_json)
        return
    output.show(answer, as_json=as_json, human=_outcome)


def _outcome(answer: Json) -> None:
    order = answer.get("order")
    if order is None:
        shown(answer["key"])
        return
    output.line(f"{order['action']} of {order['key']} waits: {order['needed']} must agree to it.")
    output.line(f"  chancery key-order approve {order['id']}     (by somebody else)")
    output.line(f"  chancery key-order perform {order['id']}     (then, by you)")


def data_of(path: Path) -> str:
    """A file's octets, as the API takes them."""
    return base64.b64encode(files.read(path, MAX_DATA)).decode()


def hexadecimal(text: str | None, field: str) -> str | None:
    """Hex as base64; None stays None."""
    if text is None:
        return None
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except ValueError:
        raise BadRequest(f"{text!r} is not hex", field=field, remedy="write 0a1b2c") from None


def plain(answer: dict[str, Any], field: str) -> bytes:
    return base64.b64decode(answer[field])


def wrapped_of(path: Path, method: str) -> str:
    """A wrapped key from a file; a key block may end in a newline."""
    data = files.read(path, MAX_DATA)
    return base64.b64encode(data.strip() if method.startswith("tr31") else data).decode()
