"""Searches that people keep, each for themselves."""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from chancery.domain.errors import BadRequest, Conflict, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.saved_filter import MAX_NAME, MAX_QUERY, MOST, ListName, SavedFilter
from chancery.domain.shown import suspicious
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event

_PLACES: Final = frozenset({"cursor", "trail"})
"""Where one was in the list: no part of what one looked for."""


class SavedFilterService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def all(self, principal: Principal, list_name: ListName) -> list[SavedFilter]:
        """One's own for one list, by name."""
        demand(principal, Permission.AUTHENTICATED)
        with self._store.read() as session:
            return session.saved_filters.all(principal.name, list_name)

    def save(self, principal: Principal, list_name: ListName, name: str, query: str) -> SavedFilter:
        """Keep a search under *name*; one of that name is replaced."""
        demand(principal, Permission.AUTHENTICATED)
        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME or suspicious(name):
            raise BadRequest(
                f"a name has 1 to {MAX_NAME} letters that can be seen",
                field="name",
                rule="filter.name",
                remedy="choose a shorter name, of plain letters",
            )
        now = self._clock.ms()
        kept = SavedFilter(principal.name, list_name, name, _conditions(query), now // 1000)

        def unit(session: Session) -> SavedFilter:
            others = [
                one
                for one in session.saved_filters.all(principal.name, list_name)
                if one.name != name
            ]
            if len(others) >= MOST:
                raise Conflict(
                    f"you keep {MOST} searches for this list already",
                    field="name",
                    rule="filter.most",
                    remedy="delete one that you do not need",
                )
            session.saved_filters.put(kept)
            session.audit.append([event(principal, "filter.saved", f"{list_name}/{name}")], now)
            return kept

        return self._store.write(unit)

    def delete(self, principal: Principal, list_name: ListName, name: str) -> None:
        demand(principal, Permission.AUTHENTICATED)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if not session.saved_filters.delete(principal.name, list_name, name):
                raise NotFound(
                    f"you keep no search called {name[:MAX_NAME]!r}",
                    field="name",
                    rule="filter.known",
                    remedy="`chancery filter list` shows yours",
                )
            session.audit.append([event(principal, "filter.deleted", f"{list_name}/{name}")], now)

        self._store.write(unit)


def _conditions(query: str) -> str:
    """The conditions alone, written in one way."""
    if len(query) <= MAX_QUERY:
        pairs = parse_qsl(query.removeprefix("?"), max_num_fields=100)
        found = urlencode([(key, value) for key, value in pairs if key not in _PLACES])
        if found and len(found) <= MAX_QUERY:
            return found
    raise BadRequest(
        f"a search has conditions, of at most {MAX_QUERY} characters",
        field="query",
        rule="filter.query",
        remedy="set at least one condition before you keep the search",
    )
