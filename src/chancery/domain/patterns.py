"""Regular expressions in profiles: written by administrators, run on requesters' text."""

import re
from typing import Final

MAX_REGEX: Final = 256
"""Longest expression, in characters."""


def is_regex(pattern: str) -> bool:
    """Whether *pattern* compiles and is short enough."""
    if len(pattern) > MAX_REGEX:
        return False
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
