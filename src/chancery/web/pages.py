"""Pages that cannot forget to ask who may see them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.bodies import MAX_BODY
from chancery.web.visit import Visit

Handler = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Access:
    """One row of the access table: any one of *permissions* opens the page."""

    method: str
    path: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class Nav:
    """An entry of the navigation, for who holds one of *permissions*; *group* is its heading."""

    title: str
    icon: str
    order: int
    permissions: tuple[Permission, ...] = (Permission.AUTHENTICATED,)
    group: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One route.  *shows* draws the form again when a POST is refused; *section* lights up."""

    method: str
    path: str
    permissions: tuple[Permission, ...]
    handler: Handler
    section: str
    step_up: bool = False
    max_body: int = MAX_BODY
    slow: bool = False
    shows: Handler | None = None


@dataclass(slots=True)
class Pages:
    """The pages of one section below *prefix*.

    ``@pages.get("/{id}", Permission.X)`` and ``@pages.post(...)``: any one of
    the permissions opens the page; naming none is a TypeError at import.
    """

    prefix: str
    section: str
    nav: Nav | None = None
    routes: list[Page] = field(default_factory=list)

    def get(self, path: str, *permissions: Permission) -> Callable[[Handler], Handler]:
        """Declare a page to look at."""

        def declare(handler: Handler) -> Handler:
            self._add(Page("GET", self.prefix + path, permissions, handler, self.section))
            return handler

        return declare

    def post(
        self,
        path: str,
        *permissions: Permission,
        step_up: bool = False,
        form: Handler | None = None,
        max_body: int = MAX_BODY,
        slow: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare something to do.

        *form* is the GET handler that draws the form again when the POST
        raises a CAError (default: the GET handler of the same path declared
        before it); *step_up* asks for a fresh proof of identity first;
        *max_body* bounds the octets; *slow* is for what hashes passwords: it
        waits in a queue of its own.
        """

        def declare(handler: Handler) -> Handler:
            full = self.prefix + path
            shows = form or next(
                (p.handler for p in self.routes if p.path == full and p.method == "GET"), None
            )
            options = (step_up, max_body, slow, shows)
            self._add(Page("POST", full, permissions, handler, self.section, *options))
            return handler

        return declare

    def access(self) -> list[Access]:
        """Return the rows of the access table for these pages."""
        return [Access(page.method, page.path, page.permissions) for page in self.routes]

    def _add(self, page: Page) -> None:
        if not page.permissions:
            raise TypeError(f"the page {page.path} declares no permission")
        if any(p.method == page.method and p.path == page.path for p in self.routes):
            raise TypeError(f"{page.method} {page.path} is declared twice")
        self.routes.append(page)


NOBODY: Final = (Permission.PUBLIC,)
"""For pages, and entries of the navigation, that everybody may see."""
