"""What profiles, DN profiles and registration authorities have in common on the command line."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from chancery.cli import definitions, files, output
from chancery.cli.client import Json
from chancery.cli.connection import Connection
from chancery.cli.failures import note, told
from chancery.domain.errors import BadRequest, CAError

if TYPE_CHECKING:
    from chancery.cli.client import Client

_RISKS: Final = ("severity", "id", "about", "profile", "field", "reason", "remedy", "accepted")
_CHANGES: Final = ("field", "old", "new")
_TRIALS: Final = ("outcome", "created_at", "requester", "subject", "why")
_VERSIONS: Final = ("version", "sha256", "created_at", "created_by")

Accept = Annotated[
    tuple[str, ...],
    Parameter(name="--accept-risk", help='A finding and why it may stand: ID="reason".'),
]
Full = Annotated[bool, Parameter(help="Ask the full linter too, as `put` does.")]
Last = Annotated[
    int, Parameter(validator=Number(gte=1, lte=1000), help="Requests to try it on, newest first.")
]
Old = Annotated[int | None, Parameter(help="Older version; else the last but one.")]
New = Annotated[int | None, Parameter(help="Newer version; else the latest.")]
File = Annotated[
    files.Input | None, Parameter(help="Compare what is in force with this file instead.")
]


def put(api: Connection, collection: str, definition: files.Input, accept: tuple[str, ...]) -> Any:
    """Write the definition; say what is dangerous about it, and return the answer."""
    wanted = definitions.read(definition)
    body = wanted | ({"accept_risks": reasons(accept)} if accept else {})
    with api.open() as server:
        answer = server.put(collection, wanted["name"], body=body)
        if not api.as_json:
            _warn(server, collection, wanted["name"])
    return answer


def risks(api: Connection, collection: str, name: str) -> None:
    with api.open() as server:
        found = server.get(collection, name, "risks")
    output.listing(found, _RISKS, as_json=api.as_json)


def check(api: Connection, collection: str, definition: files.Input, **query: object) -> None:
    """Show what writing the definition would be answered with."""
    wanted = definitions.read(definition)
    with api.open() as server:
        seen = server.call(
            "POST", (collection, wanted["name"], "preview"), body=wanted, params=query
        )
    output.show(seen, as_json=api.as_json, human=_preview)


def try_out(api: Connection, collection: str, definition: files.Input, **query: object) -> None:
    """Show what the definition would have made of the last requests."""
    wanted = definitions.read(definition)
    with api.open() as server:
        run = server.call(
            "POST", (collection, wanted["name"], "dry-run"), body=wanted, params=query
        )
    output.show(run, as_json=api.as_json, human=_dry_run)


def versions(api: Connection, collection: str, name: str) -> None:
    with api.open() as server:
        items = server.items(collection, name, "versions", limit=None)
        output.listing(items, _VERSIONS, as_json=api.as_json)


def version(api: Connection, collection: str, name: str, number: int) -> Json:
    """One former definition of a DN profile or a registration authority."""
    with api.open() as server:
        for one in server.items(collection, name, "versions", limit=None):
            if one["version"] == number:
                return dict(one["document"])
    raise BadRequest(
        f"{name} has no version {number}",
        field="version",
        remedy="`versions` lists those there are",
    )


def diff(
    api: Connection,
    collection: str,
    name: str,
    old: int | None,
    new: int | None,
    file: files.Input | None,
) -> None:
    """Print what changed between two versions, or what a file would change."""
    with api.open() as server:
        if file is not None:
            candidate = definitions.read(file) | {"name": name}
            seen = server.post(collection, name, "preview", body=candidate)
            labels = (f"{name} in force", str(file))
            changes = seen["changes"] or []
        else:
            first, second = _pair(server, collection, name, old, new)
            labels = (f"{name} version {first}", f"{name} version {second}")
            changes = server.get(collection, name, "diff", old=first, new=second)
    if api.as_json:
        output.print_json({"from": labels[0], "to": labels[1], "changes": changes})
    else:
        output.table(changes, _CHANGES)


def _pair(
    server: "Client", collection: str, name: str, old: int | None, new: int | None
) -> tuple[int, int]:
    known = sorted(one["version"] for one in server.items(collection, name, "versions", limit=None))
    if old is None and len(known) < 2:
        raise BadRequest("there is only one version", field="OLD", remedy="compare with --file")
    return old if old is not None else known[-2], new if new is not None else known[-1]


def reasons(accept: Iterable[str]) -> dict[str, str]:
    """``ID=reason`` texts as the API wants them."""
    found = {}
    for one in accept:
        name, equals, reason = one.partition("=")
        if not (name and equals and reason.strip()):
            raise BadRequest(
                f"{one!r} names no finding with a reason",
                field="--accept-risk",
                remedy='write --accept-risk ID="why it may stand"',
            )
        found[name.strip()] = reason.strip()
    return found


def _warn(server: "Client", collection: str, name: str) -> None:
    """Repeat on standard error what deserves attention; it was written all the same."""
    with suppress(CAError):  # an older server has no such check
        for one in server.get(collection, name, "risks"):
            if one["severity"] != "note":
                note(f"{one['severity']} {one['id']}: {one['reason']}")


def _preview(seen: Mapping[str, Any]) -> None:
    for fault in seen["faults"]:
        output.line(f"refused: {told(fault)}")
    for text in seen["lint"]:
        output.line(f"lint: {text}")
    if seen["risks"]:
        output.table(seen["risks"], _RISKS)
    if seen["changes"]:
        output.line("changes:")
        output.table(seen["changes"], _CHANGES)
    if seen["certificate"]:
        output.record(seen["certificate"], heading="A sample certificate")


def _dry_run(run: Mapping[str, Any]) -> None:
    output.line(", ".join(f"{number} {outcome}" for outcome, number in run["counts"].items()))
    output.table([dict(trial) | {"why": _why(trial)} for trial in run["trials"]], _TRIALS)


def _why(trial: Mapping[str, Any]) -> str:
    if trial["refusal"]:
        return told(trial["refusal"])
    return "; ".join(f"{c['field']}: {c['old']} -> {c['new']}" for c in trial["changes"])
