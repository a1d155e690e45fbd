"""Every page there is to see, and somebody who may see it; from the table of pages."""

from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Error
from playwright.sync_api import Page as BrowserPage

from browser.examples import ALSO, EXAMPLES, SKIPPED, VISITORS, Made
from chancery.domain.identity import GRANTS, Permission, Role
from chancery.web.application import SECTIONS
from chancery.web.pages import Page

PEOPLE = {
    "officer1": Role.RA_OFFICER,
    "admin": Role.ADMINISTRATOR,
    "operator": Role.CA_OPERATOR,
    "auditor": Role.AUDITOR,
    "requester": Role.REQUESTER,
}


@dataclass(frozen=True, slots=True)
class Stop:
    """One page: its template, its address, and who looks at it ("": a stranger)."""

    template: str
    address: str
    visitor: str
    state: str = ""  # where there are several of one template

    @property
    def name(self) -> str:
        """A file name for it."""
        path = self.template.strip("/").translate(str.maketrans("/", "-", "{}")) or "start"
        return f"{path}.{self.state}" if self.state else path


def look(page: BrowserPage, stop: Stop) -> int | None:
    """Go there; return the status, None for what is a file to keep."""
    try:
        answer = page.goto(stop.address)
    except Error as error:
        if "Download is starting" in str(error):
            return None
        raise
    assert answer is not None
    return answer.status


def unseen(made: Made) -> list[str]:
    """Pages that nobody has given an address for."""
    shown = {stop.template for stop in stops(made)}
    return [
        page.path
        for section in SECTIONS
        for page in section.routes
        if page.method == "GET" and page.path not in shown and page.path not in SKIPPED
    ]


def stops(made: Made) -> Iterator[Stop]:
    """Yield every GET page that there is an address for."""
    for section in SECTIONS:
        for page in section.routes:
            if page.method == "GET" and page.path not in SKIPPED:
                address = _address(page, made)
                if address is not None:
                    yield Stop(page.path, address, _visitor(page))
                for template, state, where in ALSO:
                    if template == page.path:
                        yield Stop(template, where(made), _visitor(page), state)


def _address(page: Page, made: Made) -> str | None:
    if page.path in EXAMPLES:
        return EXAMPLES[page.path](made)
    return None if "{" in page.path else page.path


def _visitor(page: Page) -> str:
    if page.path in VISITORS:
        return VISITORS[page.path]
    if Permission.PUBLIC in page.permissions:
        return ""
    for name, role in PEOPLE.items():
        granted = GRANTS[role] | {Permission.AUTHENTICATED}
        if granted.intersection(page.permissions):
            return name
    raise AssertionError(f"nobody may see {page.path}")
