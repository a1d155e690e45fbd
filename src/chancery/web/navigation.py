"""What stands in the navigation, and for whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chancery.web.pages import Pages
    from chancery.web.visit import Visit

AT_GATEWAYS: Final = frozenset(
    {"/console/requests", "/console/certificates", "/console/revocations"}
)
"""Sections of the console that there are on a registration authority's own host."""
GROUPS: Final = ("", "Trust", "Administration")
"""Headings of the console's navigation, in order; "" has none."""


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    icon: str
    url: str
    active: bool


@dataclass(frozen=True, slots=True)
class Group:
    heading: str
    entries: tuple[Entry, ...]


class Navigation:
    """Entries of every section, of the console and of the portal."""

    def __init__(self, sections: Iterable["Pages"]) -> None:
        found = [pages for pages in sections if pages.nav is not None]
        found.sort(key=lambda pages: pages.nav.order if pages.nav else 0)
        self._console = [p for p in found if p.prefix.startswith("/console")]
        self._portal = [p for p in found if not p.prefix.startswith("/console")]

    def for_visit(self, visit: "Visit") -> list[Group]:
        """Return what this visitor may see, of the face the page belongs to."""
        console = visit.here == "/console" or visit.here.startswith("/console/")
        groups = []
        for heading in GROUPS:
            entries = [
                Entry(
                    pages.nav.title,
                    pages.nav.icon,
                    pages.prefix or "/",
                    pages.section == visit.section,
                )
                for pages in (self._console if console else self._portal)
                if pages.nav is not None
                and not (console and visit.principal.ra and pages.prefix not in AT_GATEWAYS)
                and pages.nav.group == heading
                and visit.may(*pages.nav.permissions)
            ]
            if entries:
                groups.append(Group(heading, tuple(entries)))
        return groups
