"""Numbers, times and names as people read them: filters and functions for the templates."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from chancery.domain.shown import LONGEST, parts

_UNITS: Final = ((86_400 * 365, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


def when(seconds: int | None, empty: str = "never") -> Markup | str:
    """Return a moment in UTC, exact to the second for programs and to the minute for people."""
    if seconds is None:
        return empty
    moment = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment:%Y-%m-%d %H:%M}"
    )


def day(seconds: int | None, empty: str = "never") -> Markup | str:
    """Return the day of a moment in UTC."""
    if seconds is None:
        return empty
    moment = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment:%Y-%m-%d}"
    )


def span(seconds: int) -> str:
    """Return a length of time in its largest unit: ``3 days``."""
    for size, name in _UNITS:
        if abs(seconds) >= size:
            return plural(abs(seconds) // size, name)
    return plural(abs(seconds), "second")


@pass_context
def ago(context: Context, seconds: int | None, empty: str = "never") -> Markup | str:
    """Return how far a moment is from now: ``3 days ago``, ``in 2 hours``."""
    if seconds is None:
        return empty
    distance = seconds - context["visit"].now
    moment = datetime.fromtimestamp(seconds, UTC)
    if abs(distance) < 10:
        text = "now"
    else:
        text = f"in {span(distance)}" if distance > 0 else f"{span(distance)} ago"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%d %H:%M:%S}", text
    )


def number(value: int) -> str:
    """Return a number with its thousands apart: ``1,234,567``."""
    return f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``1 request`` or ``2 requests``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(octets: int) -> str:
    """Return ``812 B``, ``1.4 KB``, ``2.0 MB``."""
    if octets < 1024:
        return f"{octets} B"
    if octets < 1024 * 1024:
        return f"{octets / 1024:.1f} KB"
    return f"{octets / 1024 / 1024:.1f} MB"


def hexes(text: str) -> str:
    """Return a hex string in upper case, a colon between octets."""
    upper = text.upper()
    upper = upper.zfill(len(upper) + len(upper) % 2)
    return ":".join(upper[i : i + 2] for i in range(0, len(upper), 2))


def initials(name: str) -> str:
    """Return up to two letters that stand for a person."""
    parts = [p for p in name.replace(".", " ").replace("-", " ").replace("_", " ").split() if p]
    return "".join(p[0] for p in parts[:2]).upper() or "?"


def human(slug: str) -> str:
    """Return ``ra-officer`` as ``RA officer``."""
    text = slug.replace("-", " ").replace("_", " ").replace(".", " ")
    for short in ("ca", "ra", "crl", "ocsp", "csr", "tls", "url"):
        text = " ".join(short.upper() if w == short else w for w in text.split())
    return text[:1].upper() + text[1:]


def shown(text: object, longest: int = LONGEST) -> Markup:
    """Return a stranger's text with what hides in it marked: ``U+202E``, ``NUL``."""
    return Markup("").join(
        Markup(
            '<mark class="hidden-character" title="a character that cannot be seen">{}</mark>'
        ).format(part.text)
        if part.marked
        else escape(part.text)
        for part in parts(str(text), longest)
    )


_BROWSERS: Final = (  # the first that a User-Agent has; later names are in earlier ones' strings
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("chancery/", "Chancery's command line"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """Return ``Firefox on Linux`` for a User-Agent; what it claims, no more."""
    name = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not name:
        return agent[:60] or "unknown browser"
    return f"{name} on {system}" if system else name


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "when": when,
    "day": day,
    "ago": ago,
    "span": span,
    "number": number,
    "size": size,
    "hexes": hexes,
    "initials": initials,
    "human": human,
    "browser": browser,
    "shown": shown,
}
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {"plural": plural}
