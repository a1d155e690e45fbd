"""Answers given before, by the key the client chose."""

from typing import Final

from sqlalchemy import select

from chancery.adapters.storage import schema
from chancery.adapters.storage.link import Link

_T: Final = schema.idempotency


class SqlIdempotency:
    def __init__(self, link: Link) -> None:
        self._link = link

    def recall(self, principal: str, key: str) -> tuple[str, str] | None:
        statement = select(_T.c.request_sha256, _T.c.response)
        row = self._link.first(statement.where(_T.c.principal == principal, _T.c.key == key))
        return (row.request_sha256, row.response) if row is not None else None

    def remember(
        self, principal: str, key: str, request_sha256: str, response: str, now: int
    ) -> None:
        self._link.driver(
            "INSERT INTO idempotency (principal, key, request_sha256, response, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (principal, key, request_sha256, response, now),
        )
