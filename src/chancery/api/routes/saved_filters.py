"""Searches that one keeps for oneself."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import In, Out
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.saved_filter import MAX_NAME, MAX_QUERY, ListName, SavedFilter

door = Door("/filters", "filters")

List = Annotated[ListName, Path(alias="list", description="The list that is searched.")]
Name = Annotated[str, Path(max_length=MAX_NAME)]


class FilterIn(In):
    query: str = Field(
        max_length=MAX_QUERY,
        description="Conditions as in the address of the list.",
        examples=["status=valid&profile=tls-server"],
    )


class FilterOut(Out):
    """A search that one keeps."""

    list: ListName
    name: str
    query: str
    created_at: int


def _out(kept: SavedFilter) -> FilterOut:
    return FilterOut(list=kept.list, name=kept.name, query=kept.query, created_at=kept.created_at)


@door.route("GET", "/{list}", Permission.AUTHENTICATED)
def list_filters(who: Who, using: Using, list_name: List) -> list[FilterOut]:
    """List the searches that one keeps for a list, by name."""
    return [_out(kept) for kept in using.filters.all(who, list_name)]


@door.route("PUT", "/{list}/{name}", Permission.AUTHENTICATED)
def save_filter(who: Who, using: Using, list_name: List, name: Name, body: FilterIn) -> FilterOut:
    """Keep a search, or change one."""
    return _out(using.filters.save(who, list_name, name, body.query))


@door.route("DELETE", "/{list}/{name}", Permission.AUTHENTICATED, status=204)
def delete_filter(who: Who, using: Using, list_name: List, name: Name) -> None:
    """Forget a search."""
    using.filters.delete(who, list_name, name)
