"""Searches that people keep."""

from typing import Final

from sqlalchemy import delete, select

from chancery.adapters.storage import schema_views
from chancery.adapters.storage.link import Link
from chancery.domain.saved_filter import ListName, SavedFilter

_T: Final = schema_views.saved_filter


class SqlSavedFilters:
    def __init__(self, link: Link) -> None:
        self._link = link

    def all(self, user: str, list_name: ListName) -> list[SavedFilter]:
        found = select(_T).where(_T.c.user_name == user, _T.c.list == list_name.value)
        rows = self._link.rows(found.order_by(_T.c.name))
        return [
            SavedFilter(user_, ListName(list_), name, query, created_at)
            for user_, list_, name, query, created_at in rows
        ]

    def put(self, kept: SavedFilter) -> None:
        self._link.driver(
            "INSERT INTO saved_filter (user_name, list, name, query, created_at)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_name, list, name) DO UPDATE"
            " SET query = excluded.query, created_at = excluded.created_at",
            (kept.user, kept.list.value, kept.name, kept.query, kept.created_at),
        )

    def delete(self, user: str, list_name: ListName, name: str) -> bool:
        statement = delete(_T).where(
            _T.c.user_name == user, _T.c.list == list_name.value, _T.c.name == name
        )
        return bool(self._link.run(statement).rowcount)
