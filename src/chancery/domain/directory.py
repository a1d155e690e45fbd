"""People as a directory or an identity provider knows them, and what that makes of them here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chancery.domain import directory_names
from chancery.domain.identity import Role


@dataclass(frozen=True, slots=True)
class Person:
    """What a source says of somebody.

    *subject* never changes and is never given to another person (entryUUID,
    objectGUID, the ``sub`` of OpenID Connect); *login* is what they type.
    *groups* are distinguished names, or whatever a provider calls groups.
    """

    subject: str
    login: str
    display_name: str
    email: str
    groups: tuple[str, ...]
    dn: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A group of the source, and the roles and groups here that its members hold."""

    group: str
    roles: frozenset[Role] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """Roles and groups here."""

    roles: frozenset[Role]
    groups: frozenset[str]

    def __or__(self, other: "Standing") -> "Standing":
        return Standing(self.roles | other.roles, self.groups | other.groups)


NOTHING = Standing(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which groups of one source mean what here.

    It governs the roles and groups that it names: an account of the source
    holds them while a mapped group does, and at no other time.  All others are
    given and taken here, by administrators.
    """

    rows: tuple[Mapped, ...] = ()
    names: bool = False  # groups are distinguished names

    @property
    def governed(self) -> Standing:
        return _union(Standing(row.roles, row.groups) for row in self.rows)

    def standing(self, groups: Sequence[str]) -> Standing:
        """What membership in *groups* makes of somebody."""
        held = {key for group in groups for key in self._keys(group)}
        return _union(
            Standing(row.roles, row.groups) for row in self.rows if self._key(row.group) in held
        )

    def _key(self, group: str) -> object:
        """How a row of the mapping names its group: by DN where it is one, else by CN."""
        if self.names:
            is_name = directory_names.is_name(group)
            return directory_names.parse(group) if is_name else directory_names.folded(group)
        return group

    def _keys(self, group: str) -> tuple[object, ...]:
        """Every key under which a row may name this group."""
        if not self.names:
            return (group,)
        if not directory_names.is_name(group):
            return ()
        name = directory_names.parse(group)
        common = directory_names.common_name(name)
        return (name,) if common is None else (name, common)


def _union(standings: Iterable[Standing]) -> Standing:
    found = NOTHING
    for one in standings:
        found |= one
    return found


@dataclass(frozen=True, slots=True)
class Trial:
    """What one server or one document of a source answered when it was tried."""

    where: str
    well: bool
    said: str

    def __str__(self) -> str:
        return f"{self.where}: {self.said}"


@dataclass(frozen=True, slots=True)
class Vouched:
    """An account here, and whom it stands for at *source*: a directory, or an issuer."""

    user: str
    source: str
    subject: str
    login: str
    vouched_at: int  # Unix seconds: when the source last did


class Purpose(StrEnum):
    """What somebody goes to a provider for."""

    SIGN_IN = "sign-in"
    STEP_UP = "step-up"  # to prove it again
    JOIN = "join"  # as the second in a session

    @property
    def fresh(self) -> bool:
        """Whether they must prove who they are now, whatever session the provider has."""
        return self is not Purpose.SIGN_IN


@dataclass(frozen=True, slots=True)
class SignInFlow:
    """A sign-in that has gone to a provider and not come back.  Good for one answer."""

    sha256: str  # of the handle that the browser keeps
    provider: str
    nonce: str
    verifier: str  # RFC 7636
    return_to: str
    purpose: Purpose
    begun_at: int
