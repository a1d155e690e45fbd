"""Keyset pagination.  The cursor is opaque to clients: the last id, in base64url."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from chancery.api.models import PageOut
from chancery.domain.errors import BadRequest
from chancery.ports import Page

T = TypeVar("T")
U = TypeVar("U")
_ID: Final = re.compile(r"[A-Za-z0-9_./:-]{1,90}")


def encode(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def decode(cursor: str | None) -> str | None:
    """Return the id in *cursor*; BadRequest for anything we never gave out."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not _ID.fullmatch(text):
        raise BadRequest(
            "not a cursor of ours",
            field="cursor",
            rule="page.cursor",
            remedy="take it from `next` of the page before",
        )
    return text


def page(cursor: str | None, limit: int) -> Page:
    """Ask for one more than *limit*: its presence tells whether there is a next page."""
    return Page(decode(cursor), limit + 1)


def paged(
    found: Sequence[T], limit: int, key: Callable[[T], str], view: Callable[[T], U]
) -> PageOut[U]:
    """Cut *found* to *limit* and point to the rest."""
    shown = found[:limit]
    following = encode(key(shown[-1])) if len(found) > limit else None
    return PageOut(items=[view(one) for one in shown], next=following)
