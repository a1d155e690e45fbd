"""The console: a module for each section, in no particular order (the navigation has its own)."""

from typing import Final

from chancery.web.console import home, joint, second_factor, sign_in, step_up
from chancery.web.pages import Pages

PAGES: Final[tuple[Pages, ...]] = (
    home.pages,
    sign_in.pages,
    second_factor.pages,
    joint.pages,
    step_up.pages,
)
