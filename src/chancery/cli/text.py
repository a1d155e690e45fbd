"""Text that is safe to print, and times that people can read.

Names, notes and error texts come from strangers' CSRs.  A terminal obeys what
is printed on it, so nothing from outside reaches it before ``clean``.
"""

import unicodedata
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Cc: terminal escapes.  Cf: bidirectional overrides and invisible joiners, which
# let one name pass for another.  Zl, Zp: line breaks.  Cs: unprintable halves.
_UNSAFE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Spell out each character that could move, hide or reorder what is on the screen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c
        if (keep_lines and c == "\n") or unicodedata.category(c) not in _UNSAFE
        else _spelled(ord(c))
        for c in text
    )


def _spelled(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def instant(seconds: int) -> str:
    """Unix seconds as ``2026-05-01T12:00:00Z``; a number no calendar holds stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def relative(seconds: int, now: float) -> str:
    """``in 89 days``, ``3 hours ago``: the largest unit that fits twice, rounded down."""
    distance = int(abs(seconds - now))
    if distance == 0:
        return "now"
    for size, unit in (
        (365 * _DAY, "years"),
        (_DAY, "days"),
        (_HOUR, "hours"),
        (_MINUTE, "minutes"),
    ):
        if distance >= 2 * size:
            amount = f"{distance // size} {unit}"
            break
    else:
        amount = "1 second" if distance == 1 else f"{distance} seconds"
    return f"in {amount}" if seconds > now else f"{amount} ago"


def when(seconds: int, now: float) -> str:
    """Both forms of an instant."""
    return f"{instant(seconds)} ({relative(seconds, now)})"


def lasting(seconds: int) -> str:
    """A length of time in its largest whole unit: ``90 days``, ``36 hours``, ``90 seconds``."""
    for size, unit in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second")):
        if seconds % size == 0 and seconds >= size:
            amount = seconds // size
            return f"{amount} {unit}{'' if amount == 1 else 's'}"
    return f"{seconds} seconds"
