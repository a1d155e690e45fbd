"""Search conditions that an index can answer, and keyset pages of them."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, select

from chancery.adapters.storage.link import Link
from chancery.ports import Page

_SURROGATES_FIRST, _SURROGATES_LAST = 0xD800, 0xDFFF


def matches(column: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Equality, or where *wanted* ends in ``*`` the range of texts with that prefix.

    A range rather than LIKE: LIKE needs escapes, folds case on SQLite, and
    lets a leading wildcard scan the table.
    """
    if not wanted.endswith("*"):
        return column == wanted
    prefix = wanted[:-1]
    after = _successor(prefix)
    return and_(column >= prefix, column < after) if after else column >= prefix


def _successor(prefix: str) -> str:
    """The least text above all that start with *prefix*, by code point; "" if there is none."""
    while prefix:
        last = ord(prefix[-1]) + 1
        if _SURROGATES_FIRST <= last <= _SURROGATES_LAST:
            last = _SURROGATES_LAST + 1  # surrogates are no characters: UTF-8 cannot hold them
        if last <= 0x10FFFF:
            return prefix[:-1] + chr(last)
        prefix = prefix[:-1]
    return ""


def page_of_ids(
    table: Table, conditions: list[ColumnElement[bool]], page: Page
) -> Select[tuple[str]]:
    """Ids of one page, newest first: from indexes alone where there is one condition."""
    if page.cursor is not None:
        conditions = [*conditions, table.c.id < page.cursor]
    return select(table.c.id).where(*conditions).order_by(table.c.id.desc()).limit(page.limit)


def records(columns: Select[Any], table: Table, ids: Select[tuple[str]]) -> Select[Any]:
    """The wide rows of a page: read only once it is known which ones."""
    return columns.where(table.c.id.in_(ids)).order_by(table.c.id.desc())


def count(link: Link, ids: Select[tuple[str]], most: int) -> int:
    """How many *ids* there are, at most *most*: what lies beyond is not read."""
    found = link.first(select(func.count()).select_from(ids.limit(most).subquery()))
    return int(found[0]) if found is not None else 0
