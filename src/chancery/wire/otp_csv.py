"""Lists of one-time passwords to be made, as CSV with a heading: a line for each device.

Columns, in any order: ``subject`` or ``subject_pattern``, ``san`` (names like
``dns:host.example.org``, with blanks between), ``profile``, ``expires``
(``24h``, ``7d``, ``never``), ``note``.
"""

import csv
import io
import re
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest, TooLarge

MAX_OCTETS: Final = 1024 * 1024
MAX_LINES: Final = 1_000
COLUMNS: Final = ("subject", "subject_pattern", "san", "profile", "expires", "note")

_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_USUAL_S: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class OtpLine:
    """One device.  *expires_s* None: never."""

    line: int
    subject: str | None = None
    subject_pattern: str | None = None
    names: tuple[str, ...] = ()
    profile: str | None = None
    expires_s: int | None = _USUAL_S
    note: str = ""


def decode(data: bytes) -> list[OtpLine]:
    """Every line, or BadRequest for the first that is wrong; TooLarge."""
    if len(data) > MAX_OCTETS:
        raise TooLarge(
            f"a list of {len(data)} octets; at most {MAX_OCTETS} are read",
            field="csv",
            rule="csv.size",
        )
    try:
        text = data.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad(1, f"no CSV in UTF-8: {error}") from None
    if not rows:
        raise _bad(1, "nothing in it")
    heading = [cell.strip().lower() for cell in rows[0]]
    unknown = [name for name in heading if name not in COLUMNS]
    if (
        unknown
        or len(set(heading)) != len(heading)
        or not {"subject", "subject_pattern"} & {*heading}
    ):
        raise _bad(1, f"a heading other than some of {', '.join(COLUMNS)}")
    filled = [(number, row) for number, row in enumerate(rows[1:], 2) if any(row)]
    if len(filled) > MAX_LINES:
        raise _bad(MAX_LINES + 2, f"more than {MAX_LINES} lines")
    return [_line(number, heading, row) for number, row in filled]


def span(text: str) -> int | None:
    """``24h`` in seconds, None for ``never``; ValueError for what is neither."""
    if text == "never":
        return None
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _SECONDS[match[2]]


def _line(number: int, heading: list[str], row: list[str]) -> OtpLine:
    if len(row) != len(heading):
        raise _bad(number, f"{len(row)} cells under {len(heading)} headings")
    cells = {name: cell.strip() for name, cell in zip(heading, row, strict=True)}
    try:
        expires = span(cells["expires"]) if cells.get("expires") else _USUAL_S
    except ValueError:
        raise _bad(number, "a duration that is not like 24h, 7d or never") from None
    return OtpLine(
        line=number,
        subject=cells.get("subject") or None,
        subject_pattern=cells.get("subject_pattern") or None,
        names=tuple(cells.get("san", "").split()),
        profile=cells.get("profile") or None,
        expires_s=expires,
        note=cells.get("note", ""),
    )


def _bad(line: int, what: str) -> BadRequest:
    return BadRequest(
        f"line {line}: {what}",
        field="csv",
        rule="csv.syntax",
        remedy="begin with a heading like subject,san,profile,expires",
    )
