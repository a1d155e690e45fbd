"""The rule of two: what one person proposes counts once another has agreed."""

from dataclasses import replace
from typing import TypeVar

from chancery.domain.backup import BackupKey, BackupOrder, Consent
from chancery.domain.errors import NotFound, NotPermitted, WrongState
from chancery.domain.identity import Principal

T = TypeVar("T", BackupKey, BackupOrder)


def proposed(one: T, principal: Principal, now: int) -> T:
    """*one* as it goes on record: two who are signed in together have agreed already."""
    if not principal.partner:
        return one
    return replace(one, state=Consent.APPROVED, decided_by=principal.partner, decided_at=now)


def approved(one: T, principal: Principal, now: int) -> T:
    """*one* with the second person's word.  NotPermitted for the one who proposed it."""
    _demand_open(one)
    if one.proposed_by in principal.people:
        raise NotPermitted(
            f"{one.proposed_by} proposed this, and somebody else must agree",
            field="principal",
            rule="backup.two-people",
            remedy="let another operator look at it and approve it",
        )
    return replace(one, state=Consent.APPROVED, decided_by=principal.name, decided_at=now)


def withdrawn(one: T, principal: Principal, now: int) -> T:
    """*one* that counts no more: one person is enough to stop something."""
    if one.state is Consent.WITHDRAWN:
        _demand_open(one)
    return replace(one, state=Consent.WITHDRAWN, decided_by=principal.name, decided_at=now)


def found(one: T | None, what: str, identity: str) -> T:
    if one is None:
        raise NotFound(
            f"there is no {what} {identity[:80]!r}", field="id", rule=f"backup.{what}-known"
        )
    return one


def _demand_open(one: BackupKey | BackupOrder) -> None:
    if one.state is not Consent.PROPOSED:
        raise WrongState(f"it is {one.state.value}", field="id", rule="backup.decided")
