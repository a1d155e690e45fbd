"""The record of what policy was, and of what counts against a quota."""

from collections.abc import Sequence
from typing import Protocol

from chancery.domain.policy import AcceptedRisk, PolicyKind, PolicyVersion


class PolicyHistory(Protocol):
    """Versions of DN profiles and registration authorities; extension profiles keep their own."""

    def add(self, version: PolicyVersion) -> None:
        """AlreadyExists if the number is taken."""
        ...

    def versions(self, kind: PolicyKind, name: str) -> list[PolicyVersion]:
        """Oldest first; a deleted one's stay."""
        ...

    def accept(self, risks: Sequence[AcceptedRisk], kind: PolicyKind, name: str) -> None:
        """*risks* are now all that is accepted about it; what was accepted before is forgotten."""
        ...

    def accepted(self, kind: PolicyKind, name: str) -> list[AcceptedRisk]:
        """By risk."""
        ...


class Quotas(Protocol):
    """Submissions to registration authorities that count them.

    *who* is ``user:NAME`` or ``address:NETWORK``.  Request ids are UUIDv7, so
    their order is that of time.
    """

    def count(self, ra: str, who: str, request_id: str) -> None:
        """Count a submission against *who*."""
        ...

    def since(self, ra: str, who: str, first_id: str) -> int:
        """Submissions counted from *first_id* on, this one included."""
        ...

    def open(self, ra: str, who: str) -> int:
        """How many of the counted are undecided."""
        ...

    def forget(self, ra: str, who: str, first_id: str) -> None:
        """Drop what was counted before *first_id* and is decided."""
        ...
