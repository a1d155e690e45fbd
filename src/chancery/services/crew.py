"""Many submissions at once, shared with the other workers of this machine.

One interpreter uses one core.  Whoever is brought thousands of submissions
hands half of them to a sibling, which does with them what it does with its
own, and says what became of each.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

import msgspec

from chancery.domain import errors
from chancery.domain.errors import CAError, TooOften, Unavailable
from chancery.domain.identity import Principal
from chancery.domain.request import Submission
from chancery.services.rehearsal import Submitted

Outcome = Submitted | CAError
Later = Callable[[], list[Outcome]]
"""Waits for what became of some submissions, in their order."""
Enqueue = Callable[[Principal, Submission], "Future[Submitted]"]


class Call(Protocol):
    """A conversation with one sibling."""

    @property
    def waiting(self) -> int:
        """Pieces of work whose answers were not taken yet."""
        ...

    def ask(self, payload: bytes) -> Callable[[], bytes]: ...
    def close(self) -> None: ...


class Siblings(Protocol):
    """How the workers of a machine reach each other."""

    def call(self) -> Call | None:
        """Begin a conversation; None if nobody else is at work."""
        ...


class _Shared(msgspec.Struct, array_like=True, frozen=True):
    principal: Principal
    submissions: list[Submission]


class _Failed(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    message: str
    field: str | None
    rule: str | None
    remedy: str | None
    retry_after_s: int | None


class _Fared(msgspec.Struct, array_like=True, frozen=True):
    """What became of one submission: *submitted*, or *failed*."""

    submitted: Submitted | None
    failed: _Failed | None


_ERRORS: Final[dict[str, type[CAError]]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, CAError)
}
_encode: Final = msgspec.msgpack.Encoder().encode
_read_shared: Final = msgspec.msgpack.Decoder(_Shared).decode
_read_fared: Final = msgspec.msgpack.Decoder(list[_Fared]).decode


def begin(
    enqueue: Enqueue, principal: Principal, submissions: Sequence[Submission | CAError]
) -> Later:
    """Begin with *submissions* here; an input that nobody could read comes back as its error."""
    under_way = [
        one if isinstance(one, CAError) else enqueue(principal, one) for one in submissions
    ]
    return lambda: [outcome(one) for one in under_way]


def outcome(under_way: "Future[Submitted] | CAError") -> Outcome:
    if isinstance(under_way, CAError):
        return under_way
    try:
        return under_way.result()
    except CAError as error:
        return error


def share(call: Call, principal: Principal, submissions: Sequence[Submission]) -> Later:
    """Let the sibling at the other end of *call* begin with *submissions*."""
    later = call.ask(_encode(_Shared(principal, list(submissions))))

    def outcomes() -> list[Outcome]:
        try:
            return [_outcome_of(one) for one in _read_fared(later())]
        except Unavailable as error:
            return [error] * len(submissions)

    return outcomes


def help_with(enqueue: Enqueue) -> Callable[[bytes], Callable[[], bytes]]:
    """What a worker does with the pieces of work that its siblings send."""

    def work(payload: bytes) -> Callable[[], bytes]:
        shared = _read_shared(payload)
        later = begin(enqueue, shared.principal, shared.submissions)
        return lambda: _encode([_fared(one) for one in later()])

    return work


def _fared(one: Outcome) -> _Fared:
    if isinstance(one, Submitted):
        return _Fared(one, None)
    retry = one.retry_after_s if isinstance(one, TooOften) else None
    about = (one.field, one.rule, one.remedy, retry)
    return _Fared(None, _Failed(type(one).__name__, str(one), *about))


def _outcome_of(one: _Fared) -> Outcome:
    if one.submitted is not None:
        return one.submitted
    failed = one.failed
    assert failed is not None  # one of the two is always told
    about = {"field": failed.field, "rule": failed.rule, "remedy": failed.remedy}
    if failed.retry_after_s is not None:
        return TooOften(failed.message, retry_after_s=failed.retry_after_s, **about)
    return _ERRORS.get(failed.kind, CAError)(failed.message, **about)
