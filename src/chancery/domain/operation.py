"""Long pieces of work as objects: what is to be done, how far it is, what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class OperationKind(StrEnum):
    REVOKE = "revoke"
    APPROVE = "approve"
    DENY = "deny"


class OperationState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED: frozenset[OperationState] = frozenset(
    {OperationState.DONE, OperationState.CANCELLED, OperationState.FAILED}
)


@dataclass(frozen=True, slots=True)
class Item:
    """One object of an operation, and what it is bound to (a content hash) or what went wrong."""

    id: str
    detail: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """*total* items were on its list when it began; each ends in *done*, *skipped* or *failed*.

    Skipped is what was in the wanted state already when its turn came.
    *principal* is who started it, as the services know them; *position* the last
    item dealt with.
    """

    id: str
    kind: OperationKind
    state: OperationState
    started_by: str
    principal: Mapping[str, Any]
    parameters: Mapping[str, Any]
    total: int
    created_at: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    position: str = ""
    failure: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    cancelled_by: str | None = None

    @property
    def handled(self) -> int:
        return self.done + self.skipped + self.failed

    @property
    def ended(self) -> bool:
        return self.state in ENDED
