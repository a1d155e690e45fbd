"""Custodians, and who of them holds which share of what.  A share itself is never in here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest, Conflict

MAX_HOLDERS: Final = 16  # SLIP-39: an index of four bits
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_RECIPIENT: Final = 4_096  # characters; an RSA key of 8,192 bits has 1,500


class CustodyPurpose(StrEnum):
    """What a set of shares opens."""

    VAULT = "vault"  # the master key of a server's software vault
    BACKUP = "backup"  # the source key of backups
    OFFLINE_STORE = "offline-store"  # the file of an offline root


@dataclass(frozen=True, slots=True)
class Custodian:
    """A person who may hold shares.

    *recipient* is whom a share is encrypted to: an age recipient (``age1...``),
    an SSH public key, or an RSA public key in PEM; "": it is printed.
    """

    name: str
    recipient: str = ""

    @property
    def key(self) -> str:
        """The recipient without what may differ between two texts of one key."""
        text = self.recipient.strip()
        if text.startswith("ssh-"):
            return " ".join(text.split()[:2])  # a comment follows
        if text.startswith("-----BEGIN"):
            lines = (line.strip() for line in text.splitlines())
            return "".join(line for line in lines if not line.startswith("-----"))
        return text.lower()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadRequest(
                f"{self.name[:64]!r} is no name of a custodian",
                field="custodian",
                rule="custodian.name",
                remedy="up to 64 of a-z 0-9 . _ -, beginning with a letter or a digit",
            )
        if len(self.recipient) > _MAX_RECIPIENT:
            raise BadRequest(
                f"the key of {self.name} is longer than any key",
                field="recipient",
                rule="custodian.recipient",
            )


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds share *number* (from 1).  *commitment* is a hash by which that share is known."""

    name: str
    number: int
    commitment: str
    recipient: str = ""

    @property
    def custodian(self) -> Custodian:
        return Custodian(self.name, self.recipient)


@dataclass(frozen=True, slots=True)
class ShareSet:
    """One secret split among *holders*: *threshold* of them open it, fewer learn nothing."""

    id: str
    purpose: CustodyPurpose
    threshold: int
    holders: tuple[Holder, ...]
    made_at: int

    def holder(self, number: int) -> Holder | None:
        return next((one for one in self.holders if one.number == number), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a sealed thing is from opening: who has given, how many are missing."""

    share_set: ShareSet
    given: tuple[str, ...]

    @property
    def missing(self) -> int:
        return max(0, self.share_set.threshold - len(self.given))

    @property
    def others(self) -> tuple[str, ...]:
        """Who could still give one."""
        return tuple(h.name for h in self.share_set.holders if h.name not in self.given)


def check_people(people: Sequence[Custodian], threshold: int) -> None:
    """Refuse a choice of M of N that protects nothing, and a person who would hold two shares."""
    if not 2 <= threshold <= len(people) <= MAX_HOLDERS:
        raise BadRequest(
            f"{threshold} of {len(people)} is no choice of custodians",
            field="threshold",
            rule="shares.numbers",
            remedy=f"2 <= threshold <= custodians <= {MAX_HOLDERS}: 3 of 5, say",
        )
    seen: dict[str, str] = {}
    for one in people:
        keys = [f"name {one.name}"] + ([f"key {one.key}"] if one.key else [])
        for key in keys:
            if key in seen:
                raise Conflict(
                    f"{one.name} would hold two shares"
                    if seen[key] == one.name
                    else f"{seen[key]} and {one.name} have the same key: one person, two shares",
                    field="custodians",
                    rule="custody.one-share",
                    remedy="name another person: whoever holds two counts for two",
                )
            seen[key] = one.name


class BundleState(StrEnum):
    OPEN = "open"  # out to be signed
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class RegisteredCustodian:
    """A custodian on record.  *retired_at*: no new share goes to them; old sets may name them."""

    name: str
    full_name: str
    recipient: str
    created_at: int
    retired_at: int | None = None

    @property
    def custodian(self) -> Custodian:
        return Custodian(self.name, self.recipient)


@dataclass(frozen=True, slots=True)
class RecordedSet:
    """A set on record; *retired_at* once another one took its place."""

    digest: str
    share_set: ShareSet
    retired_at: int | None = None


@dataclass(frozen=True, slots=True)
class SigningBundle:
    """What was sent to an offline CA to be signed, and what became of it.

    *text* is the request as it was exported, *audit_seq* the leaf of the
    audit log that holds its hash.
    """

    id: str
    state: BundleState
    text: str
    sha256: str
    items: int
    audit_seq: int
    created_by: str
    created_at: int
    closed_by: str | None = None
    closed_at: int | None = None
