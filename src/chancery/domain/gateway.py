"""A dedicated registration authority: a host of its own that relays to the central instance."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gateway:
    """*account* is whose client certificate it shows; all that comes by it is confined to *ra*."""

    name: str
    account: str
    ra: str
