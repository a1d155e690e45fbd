"""How far publication is, and what was seen of it."""

from collections.abc import Sequence
from typing import Final

from chancery.adapters.storage.link import Link
from chancery.domain.publication import Publication, Sight, Sighting

_PUT: Final = (
    "INSERT INTO publication (publisher, file, sha256, published_at, attempts, error, next_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (publisher, file) DO UPDATE SET"
    " sha256 = excluded.sha256, published_at = excluded.published_at,"
    " attempts = excluded.attempts, error = excluded.error, next_at = excluded.next_at"
)
_SAW: Final = (
    "INSERT INTO crl_watch (url, authority, name, state, said, number, this_update, next_update,"
    " seen_at, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (url) DO UPDATE SET"
    " authority = excluded.authority, name = excluded.name, state = excluded.state,"
    " said = excluded.said, number = excluded.number, this_update = excluded.this_update,"
    " next_update = excluded.next_update, seen_at = excluded.seen_at, since = excluded.since"
)


class SqlPublications:
    """Implements ``ports_crl.Publications``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def all(self) -> list[Publication]:
        rows = self._link.driver(
            "SELECT publisher, file, sha256, published_at, attempts, error, next_at"
            " FROM publication ORDER BY publisher, file"
        )
        return [Publication(*row) for row in rows]

    def put(self, item: Publication) -> None:
        values = (
            item.publisher, item.file, item.sha256, item.published_at, item.attempts, item.error,
            item.next_at,
        )  # fmt: skip
        self._link.driver(_PUT, values)

    def drop(self, publisher: str, file: str) -> None:
        self._link.driver(
            "DELETE FROM publication WHERE publisher = ? AND file = ?", (publisher, file)
        )

    def keep(self, publishers: Sequence[str]) -> None:
        for one in {item.publisher for item in self.all()} - set(publishers):
            self._link.driver("DELETE FROM publication WHERE publisher = ?", (one,))

    def sightings(self) -> list[Sighting]:
        rows = self._link.driver(
            "SELECT url, authority, name, state, said, number, this_update, next_update, seen_at,"
            " since FROM crl_watch ORDER BY url"
        )
        return [
            Sighting(url, authority, name, Sight(state), *rest)
            for url, authority, name, state, *rest in rows
        ]

    def saw(self, item: Sighting) -> None:
        values = (
            item.url, item.authority, item.name, item.state.value, item.said, item.number,
            item.this_update, item.next_update, item.seen_at, item.since,
        )  # fmt: skip
        self._link.driver(_SAW, values)

    def forget(self, urls: Sequence[str]) -> None:
        for url in urls:
            self._link.driver("DELETE FROM crl_watch WHERE url = ?", (url,))
