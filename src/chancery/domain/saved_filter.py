"""Searches that somebody wants to come back to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_NAME: Final = 60
MAX_QUERY: Final = 2_000
"""Characters."""
MOST: Final = 50
"""Of one person, for one list."""


class ListName(StrEnum):
    """Lists that can be searched."""

    CERTIFICATES = "certificates"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """*query* holds the conditions as the list's address holds them: ``state=pending&ra=main``."""

    user: str
    list: ListName
    name: str
    query: str
    created_at: int
