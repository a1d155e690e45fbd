"""Authority over managed keys: who asked, who agreed, and what comes back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyAuthority:
    """Who acts on a key, and who besides agreed to exactly this.

    *despite*: why a suspended or compromised key is read all the same; empty:
    it is not.
    """

    actor: str
    approvers: tuple[str, ...] = ()
    despite: str = ""

    @property
    def others(self) -> frozenset[str]:
        """Those who agreed besides the one who acts; a joint session is one, under both names."""
        seen, found = people_in([self.actor]), set()
        for approver in self.approvers:
            people = people_in([approver])
            if not people & seen:
                found.add(approver)
                seen |= people
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class KeySeal:
    """AES-GCM's output: ciphertext and tag, under a nonce of 12 octets."""

    nonce: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One component as its holder sees it, once; *component* and *check_value* in hex.

    *combined* is the check value of the key that all of them make.
    """

    number: int
    total: int
    component: str
    check_value: str
    combined: str


class KeyAction(StrEnum):
    """What may need the agreement of others."""

    STATE = "state"
    ROTATE = "rotate"
    WRAP = "wrap"
    PACKAGE = "package"
    SPLIT = "split"
    ESCROW = "escrow"
    RECOVER = "recover"
    IMPORT = "import"
    EDIT = "edit"


class OrderState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DONE = "done"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """Something that somebody wants done to a key, and that others must agree to.

    *parameters* are what was asked, *content* the SHA-256 of action, key and
    parameters: what an approval binds.  *requested_by* holds both halves of a
    joint session; of *approvers* each is one, the two of a joint session as
    ``NAME+NAME``.
    """

    id: str
    key: str
    group: str
    action: KeyAction
    parameters: Mapping[str, Any]
    content: str
    needed: int
    requested_by: tuple[str, ...]
    approvers: tuple[str, ...]
    state: OrderState
    created_at: int
    expires_at: int
    closed_at: int | None = None
    reason: str = ""


def people_in(names: Iterable[str]) -> set[str]:
    """The people behind *names*: a joint session's holds both, ``NAME+NAME``."""
    return {person for name in names for person in name.split("+")}
