"""The public portal: a module for each section."""

from typing import Final

from chancery.web.pages import Pages
from chancery.web.portal import home

PAGES: Final[tuple[Pages, ...]] = (home.pages,)
