"""Templates to text.  Everything is escaped; a name that is not there is an error, not a blank."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.web import errors, words
from chancery.web.assets import Assets
from chancery.web.navigation import Navigation
from chancery.web.tones import tone_of

if TYPE_CHECKING:
    from chancery.web.visit import Visit

FOLDER: Final = Path(__file__).with_name("templates")


class Renderer:
    """One per process; safe for concurrent use."""

    def __init__(
        self, assets: Assets, navigation: Navigation, folders: Sequence[Path] = ()
    ) -> None:
        self._navigation = navigation
        self._environment = Environment(
            loader=FileSystemLoader([FOLDER, *folders]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"],
        )
        self._environment.globals.update(
            static=assets.url,
            icon=assets.icon,
            tone_of=tone_of,
            Permission=Permission,
            **words.FUNCTIONS,
        )
        self._environment.filters.update(words.FILTERS)

    def page(
        self, visit: "Visit", template: str, block: str | None, context: dict[str, Any]
    ) -> str:
        """Return the page, or one block of it; the block's own context is the page's."""
        found = self._environment.get_template(template)
        values = {
            "visit": visit,
            "navigation": self._navigation.for_visit(visit),
            "layout": _layout(visit),
            **context,
        }
        # Not imported by the templates themselves: a block rendered alone would not have it.
        values["ui"] = self._environment.get_template("parts/ui.html").make_module(values)
        if block is None:
            return found.render(values)
        made = found.new_context(values)
        return "".join(found.blocks[block](made))

    @staticmethod
    def status_of(error: CAError) -> int:
        return errors.page_of(error)[0]

    def templates(self) -> Sequence[str]:
        """Return the name of every template."""
        return self._environment.list_templates(extensions=["html"])

    def compile(self, name: str) -> None:
        """Raise if template *name* has a fault that shows before it is used."""
        self._environment.get_template(name)


def _layout(visit: "Visit") -> str:
    """Which frame a page has that may appear anywhere."""
    if not (visit.here == "/console" or visit.here.startswith("/console/")):
        return "portal/layout.html"
    signed_in = visit.session is not None and visit.session.open
    return "console/layout.html" if signed_in else "sign_in/layout.html"
