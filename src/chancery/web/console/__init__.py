"""The console: a module for each section, in no particular order (the navigation has its own)."""

from typing import Final

from chancery.web.console import home, sign_in
from chancery.web.pages import Pages

PAGES: Final[tuple[Pages, ...]] = (
    home.pages,
    sign_in.pages,
)
