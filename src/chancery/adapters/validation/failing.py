"""How a validation ends early, inside this package."""

from typing import Final

from chancery.domain.acme import Fault

_DETAIL: Final = 400
"""Characters of what others said that are repeated to a client."""


class Failed(Exception):
    """Not proved: *fault* tells the client why."""

    def __init__(self, kind: str, detail: str) -> None:
        shown = "".join(c if c.isprintable() else "?" for c in detail[:_DETAIL])
        super().__init__(shown)
        self.fault: Final = Fault(kind, shown)
