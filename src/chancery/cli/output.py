"""Results on standard output: JSON for programs, plain tables for people."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chancery.cli.failures import note, one_line
from chancery.cli.text import clean, lasting, when

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH: Final = 10_000  # columns: a pipe has no right margin, so nothing is cut or folded
_MAX_CELL: Final = 160  # characters in one cell of a list
_STATES: Final = {  # the word always stands there; the colour only repeats it
    **dict.fromkeys(("pending", "held", "awaiting-certificate", "locked"), "yellow"),
    **dict.fromkeys(("issued", "valid", "active", "approved", "success", "verified"), "green"),
    **dict.fromkeys(("denied", "failed", "revoked", "failure", "disabled", "abandoned"), "red"),
    **dict.fromkeys(("expired", "withdrawn", "retired", "intended"), "bright_black"),
}
_TIMES: Final = frozenset(
    {"not_before", "not_after", "this_update", "next_update", "latest", "invalidity_date"}
    | {"at", "locked_until", "retired"}
)


def show(value: Any, *, as_json: bool, human: Callable[[Any], None] | None = None) -> None:
    """Print one object: as JSON, or with *human* (by default, its fields one a line)."""
    if as_json:
        print_json(value)
    elif human is not None:
        human(value)
    elif value is not None:
        record(value)


def print_json(value: object) -> None:
    """One JSON document: indented on a terminal, one line elsewhere."""
    if sys.stdout.isatty():
        print(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))
    else:
        print(one_line(value))


def listing(
    items: Iterable[Mapping[str, Any]],
    columns: tuple[str, ...],
    *,
    as_json: bool,
    limit: int | None = None,
) -> None:
    """Print a list: one JSON array, written as it arrives, or a table of *columns*.

    More than *limit* items are announced on standard error, not shown: ask
    for one more than you show.
    """
    shown = _limited(items, limit)
    if not as_json:
        table(list(shown), columns)
        return
    first = next(shown, None)
    sys.stdout.write("[" if first is None else "[" + one_line(first))
    for item in shown:
        sys.stdout.write(",\n" + one_line(item))
    sys.stdout.write("]\n")


def _limited(items: Iterable[Mapping[str, Any]], limit: int | None) -> Iterator[Mapping[str, Any]]:
    for index, item in enumerate(items):
        if index == limit:
            note(f"only the first {limit} are shown; use --all or a larger --limit")
            return
        yield item


def console() -> "Console":
    from rich.console import Console  # noqa: PLC0415 - JSON must not wait for rich

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(items: list[Mapping[str, Any]], columns: tuple[str, ...]) -> None:
    """Print rows under upper-case headings; nothing but a note when there are none."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if not items:
        note("nothing found")
        return
    terminal, now = sys.stdout.isatty(), time.time()
    grid = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, show_edge=False)
    for column in columns:
        grid.add_column(_heading(column).upper(), overflow="fold", no_wrap=not terminal)
    for item in items:
        cells = [phrase(column, _dig(item, column), now) for column in columns]
        texts = map(_shorten, cells) if terminal else cells
        grid.add_row(*(Text(cell, style=_STATES.get(cell, "")) for cell in texts))
    out = console()
    if terminal:
        out.print(grid)
        return
    with out.capture() as capture:
        out.print(grid)
    for row in capture.get().splitlines():
        print(row.rstrip())


def record(value: Mapping[str, Any], *, heading: str | None = None) -> None:
    """Print an object, one field a line, objects inside it indented."""
    from rich.text import Text  # noqa: PLC0415

    out, now = console(), time.time()
    if heading is not None:
        out.print(Text(clean(heading), style="bold"))
    for depth, name, text in _fields(value, now, 1 if heading else 0):
        line = Text("  " * depth + f"{name}: ", style="bright_black")
        line.append(text, style=_STATES.get(text, "default"))
        out.print(line, soft_wrap=True)


def _fields(value: Mapping[str, Any], now: float, depth: int) -> Iterator[tuple[int, str, str]]:
    for key, inner in value.items():
        name = clean(_heading(key))
        if inner is None or inner in ("", [], {}) or _is_pem(inner):
            continue
        if isinstance(inner, Mapping) and "kind" not in inner:
            yield depth, name, ""
            yield from _fields(inner, now, depth + 1)
        elif isinstance(inner, list) and any(isinstance(one, Mapping) for one in inner):
            yield depth, name, ""
            for one in inner:
                yield depth + 1, "-", phrase(key, one, now)
        else:
            yield depth, name, phrase(key, inner, now)


def _is_pem(value: Any) -> bool:
    """A certificate for machines: `download` and `export` give it, --json shows it."""
    first = value[0] if isinstance(value, list) else value
    return isinstance(first, str) and first.startswith("-----BEGIN ")


def phrase(key: str, value: Any, now: float) -> str:
    """Return *value* as safe text for people; *key* says what its numbers mean."""
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(key, value, now)
    if isinstance(value, list):
        return ", ".join(phrase(key, one, now) for one in value)
    return _pairs(value, now) if isinstance(value, Mapping) else clean(str(value))


def _number(key: str, value: int, now: float) -> str:
    if key.endswith("_at") or key in _TIMES:
        return when(value, now)
    if key.endswith("_ms"):
        return when(value // 1000, now)
    return lasting(value) if key.endswith("_s") else str(value)


def _pairs(value: Mapping[str, Any], now: float) -> str:
    if set(value) == {"kind", "value"}:  # a GeneralName
        return clean(f"{value['kind']}:{value['value']}")
    parts = (f"{_heading(k)} {phrase(k, v, now)}" for k, v in value.items() if v is not None)
    return clean(", ".join(parts))


def _heading(key: str) -> str:
    return key.removesuffix("_ms").removesuffix("_s").rpartition(".")[2].replace("_", " ")


def _dig(item: Mapping[str, Any], path: str) -> Any:
    """Follow ``profile.name`` into nested objects."""
    value: Any = item
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


def line(text: str) -> None:
    """Print one safe line."""
    print(clean(text))


def delivered(to: Path | None, size: int, *, as_json: bool) -> None:
    """Say where a download went, on standard error unless JSON is wanted and stdout is free."""
    if to is None or str(to) == "-":
        return
    if as_json:
        print_json({"file": str(to), "octets": size})
    else:
        note(f"wrote {to} ({size} octets)")


def done(name: str, what: str, *, as_json: bool) -> None:
    """Confirm an act whose answer is empty."""
    if as_json:
        print_json({"name": name, "result": what})
    else:
        line(f"{name}: {what}")


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what was not given from the body of a request."""
    return {key: value for key, value in body.items() if value is not None}
