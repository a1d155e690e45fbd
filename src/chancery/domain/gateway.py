"""A dedicated registration authority: a host of its own that relays to the central instance."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gateway:
    """*account* is whose client certificate it shows; all that comes by it is confined to *ra*."""

    name: str
    account: str
    ra: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The secret *code* a gateway gave out for a submission: it finds what came of it.

    Whatever comes with a code that is on record already is a repetition.
    *queued*: the gateway took it in while the centre was away.
    """

    code: str
    queued: bool = False
