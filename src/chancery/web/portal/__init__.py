"""The public portal: a module for each section."""

from typing import Final

from chancery.web.pages import Pages
from chancery.web.portal import answers, authorities, home, revoke, status

PAGES: Final[tuple[Pages, ...]] = (
    home.pages,
    status.pages,
    status.one,
    revoke.pages,
    authorities.pages,
    answers.pages,
)
