"""Text from strangers, taken apart so that nothing in it hides, moves or passes for something else.

Whoever shows it (a page, a terminal) shows the marks differently from the rest.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 512
"""Characters that are shown; of what is longer, its beginning, and how much is missing."""
UNSAFE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
"""Control characters; bidirectional overrides and invisible joiners; line breaks; what is no
character: Unicode general categories."""
_MARKS_IN_A_ROW: Final = 3  # more combining marks than any script stacks run over the lines around
_NAMES: Final = {0: "NUL", 9: "TAB", 10: "LF", 13: "CR", 27: "ESC", 127: "DEL"}


@dataclass(frozen=True, slots=True)
class Part:
    """*marked*: not the text itself, but what stands for something in it."""

    text: str
    marked: bool = False


def parts(text: str, longest: int = LONGEST) -> tuple[Part, ...]:
    """Split *text* into what can be shown as it is, and names of what cannot (``U+202E``)."""
    if len(text) <= longest and text.isascii() and text.isprintable():
        return (Part(text),) if text else ()
    found: list[Part] = []
    plain: list[str] = []
    stacked = 0

    def mark(name: str) -> None:
        if plain:
            found.append(Part("".join(plain)))
            plain.clear()
        found.append(Part(name, marked=True))

    for character in text[:longest]:
        category = unicodedata.category(character)
        stacked = stacked + 1 if category in ("Mn", "Me") else 0
        if category in UNSAFE or stacked > _MARKS_IN_A_ROW or _is_blank(character):
            mark(_NAMES.get(ord(character), f"U+{ord(character):04X}"))
        else:
            plain.append(character)
    if len(text) > longest:
        mark(f"{len(text) - longest:,} more characters")
    elif plain:
        found.append(Part("".join(plain)))
    return tuple(found)


def _is_blank(character: str) -> bool:
    """Any space but the one that everybody knows: it looks like nothing, or like that one."""
    return character != " " and unicodedata.category(character) == "Zs"


def suspicious(text: str, longest: int = LONGEST) -> bool:
    """Whether something in *text* has to be marked."""
    return any(part.marked for part in parts(text, longest))
