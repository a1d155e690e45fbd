"""Refusals go on record: who was refused what about a key, by which rule."""

import functools
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

from chancery.domain.audit import Outcome
from chancery.domain.errors import (
    BadRequest,
    CAError,
    Conflict,
    NotPermitted,
    SignerRefused,
    WrongState,
)
from chancery.domain.identity import Principal
from chancery.services.audit import event
from chancery.services.keys.desk import Desk
from chancery.services.keys.wanted import Wanted


class _OfKeys(Protocol):
    _desk: Desk


S = TypeVar("S", bound=_OfKeys)
A = TypeVar("A", bound=str | Wanted)
P = ParamSpec("P")
R = TypeVar("R")
_Method = Callable[Concatenate[S, Principal, A, P], R]
FORBIDDEN: Final = (NotPermitted, WrongState, SignerRefused)
REFUSED: Final = (*FORBIDDEN, BadRequest, Conflict)
"""Also what did not fit: a wrong check value, half a key block, an agreement to something else."""


def watched(
    action: str, errors: tuple[type[CAError], ...] = FORBIDDEN
) -> Callable[[_Method[S, A, P, R]], _Method[S, A, P, R]]:
    """Put on record that somebody was refused something about a key, as *action*."""

    def around(method: _Method[S, A, P, R]) -> _Method[S, A, P, R]:
        @functools.wraps(method)
        def inner(self: S, principal: Principal, about: A, *args: P.args, **more: P.kwargs) -> R:
            try:
                return method(self, principal, about, *args, **more)
            except errors as error:
                desk = self._desk
                name = about if isinstance(about, str) else about.name
                told = event(
                    principal, action, name[:64], Outcome.FAILURE, rule=error.rule or "",
                    reason=str(error)[:500],
                )  # fmt: skip
                now = desk.clock.ms()
                desk.store.write(lambda session: session.audit.append([told], now))
                raise

        return cast("_Method[S, A, P, R]", inner)

    return around
