"""Doors: protocols by which devices and servers enrol by themselves, each opened for one RA."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.registration import MAX_APPROVALS

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_WHO: Final = 120
"""Characters of a device's name that a record shows."""


class DoorProtocol(StrEnum):
    SCEP = "scep"  # RFC 8894
    EST = "est"  # RFC 7030
    CMP = "cmp"  # RFC 9810
    ACME = "acme"  # RFC 8555


PATHS: Final[Mapping[DoorProtocol, str]] = {
    DoorProtocol.SCEP: "/scep/{label}",
    DoorProtocol.EST: "/.well-known/est/{label}/",
    DoorProtocol.CMP: "/.well-known/cmp/p/{label}",
    DoorProtocol.ACME: "/acme/{label}/directory",
}


@dataclass(frozen=True, slots=True)
class Door:
    """One protocol, opened for one registration authority under a label.

    *profile* is what is issued unless the credential or the request names one
    of *profiles*; *authority* None: the RA's first.  *approvals* people decide
    about what comes in, *renewal_approvals* about renewals (None: as many as
    the RA asks for, or as about a first request); the minima of profile and CA
    stand all the same.  With *renew_in_window* a renewal comes too early where
    the profile says so, else whenever the certificate is valid.  *settings*
    are the protocol's own.
    """

    protocol: DoorProtocol
    label: str
    ra: str
    profile: str
    profiles: tuple[str, ...] = ()
    authority: str | None = None
    approvals: int | None = 0
    renewal_approvals: int | None = None
    renew_in_window: bool = False
    enabled: bool = True
    description: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``scep/main``: how records call it."""
        return f"{self.protocol.value}/{self.label}"

    @property
    def path(self) -> str:
        """Where it stands, on the host of the instance."""
        return PATHS[self.protocol].format(label=self.label)

    @property
    def offered(self) -> frozenset[str]:
        """Names of every profile that may be asked for."""
        return frozenset({self.profile, *self.profiles})

    def needed(self, of_the_ra: int, *, renewal: bool) -> int:
        """How many people approve, where the RA itself asks for *of_the_ra*."""
        first = of_the_ra if self.approvals is None else self.approvals
        return first if not renewal or self.renewal_approvals is None else self.renewal_approvals

    def principal(self, who: str, origin: str) -> Principal:
        """Whoever comes in by it: may submit, and nothing else."""
        shown = "".join(c if c.isprintable() else "?" for c in who[:_WHO])
        return Principal(
            name=f"{self.name}/{shown}",
            roles=frozenset(),
            groups=frozenset(),
            permissions=frozenset({Permission.PUBLIC, Permission.REQUEST_SUBMIT}),
            method=AuthMethod.DOOR,
            origin=origin,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """One message at a door: *outcome* is ``ok``, ``pending`` or the rule that it broke."""

    id: str
    door: str
    at: int
    operation: str
    outcome: str
    who: str
    origin: str
    detail: str


def check_door(door: Door) -> None:
    """Raise BadRequest for the first fault that *door* has by itself."""
    if not _LABEL.fullmatch(door.label):
        raise BadRequest(
            "a label is lower-case letters, digits and dashes",
            field="door.label",
            rule="name.syntax",
            remedy="begin with a letter or digit, and use at most 63 characters",
        )
    for name in ("approvals", "renewal_approvals"):
        number: int | None = getattr(door, name)
        if number is not None and not 0 <= number <= MAX_APPROVALS:
            raise BadRequest(
                f"approvals are 0 to {MAX_APPROVALS}",
                field=f"door.{name}",
                rule="ra.approvals",
                remedy=f"give a number from 0 to {MAX_APPROVALS}, or none for the RA's own",
            )
