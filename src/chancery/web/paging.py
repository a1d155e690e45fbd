"""Pages of long lists, by cursor: nothing is counted, and deep pages cost what the first costs.

The address of a page holds the cursor it begins after, and the cursors of the
pages before it (``trail``), so that "Newer" leads back without a look-up.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from chancery.domain.errors import BadRequest
from chancery.ports import Page
from chancery.web.fields import Fields

T = TypeVar("T")
SIZE: Final = 25
_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")
_MAX_TRAIL: Final = 20  # pages back; beyond it there is "First"
_FIRST: Final = "0"  # in a trail: the first page, which no cursor begins


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """One page.  *first*, *previous* (newer) and *next* (older) are addresses, or None."""

    items: Sequence[T]
    first: str | None
    previous: str | None
    next: str | None
    note: str


def asked(query: Fields, size: int = SIZE) -> Page:
    """Return what to fetch: one more than is shown, which tells whether there is a next page."""
    return Page(_decode(query.text("cursor")), size + 1)


def paged(
    path: str, query: Fields, found: Sequence[T], key: Callable[[T], str], size: int = SIZE
) -> Paged[T]:
    """Cut *found* to *size*, and say where the pages around it are; the filters are kept."""
    shown = found[:size]
    filters = [(n, v) for n, v in query.pairs() if n not in ("cursor", "trail") and v]
    cursor = query.text("cursor")
    trail = [step for step in query.text("trail").split("~") if step][-_MAX_TRAIL:]

    def address(to: str, way: Sequence[str]) -> str:
        pairs = list(filters)
        if to != _FIRST:
            pairs.append(("cursor", to))
        if way:
            pairs.append(("trail", "~".join(way[-_MAX_TRAIL:])))
        return path + ("?" + urlencode(pairs) if pairs else "")

    following = None
    if len(found) > size:
        following = address(_encode(key(shown[-1])), [*trail, cursor or _FIRST])
    return Paged(
        shown,
        first=address(_FIRST, []) if cursor else None,
        previous=address(trail[-1], trail[:-1]) if cursor and trail else None,
        next=following,
        note=f"{len(shown)} shown, newest first" if shown else "Nothing more",
    )


def _encode(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str | None:
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not _ID.fullmatch(text):
        raise BadRequest(
            "this address does not point to a page of the list",
            field="cursor",
            rule="page.cursor",
            remedy="start from the first page",
        )
    return text
