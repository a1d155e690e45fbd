"""A batch of signatures over the sessions of a token."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, Protocol

from chancery.domain.errors import CAError
from chancery.signer.keypair import Way

RUN: Final = 16
"""Signatures at most that are made while one session is held."""


class Runs(Protocol):
    """A ``Way.sign`` that makes several signatures in one session."""

    def run(self, many: Sequence[bytes]) -> list[bytes | CAError]:
        """One of each of the first, at least one; the rest when others had their turn."""
        ...


class Spread:
    """Implements ``keypair.Spread`` for ways that ``Runs``: who has a session takes what is next.

    The caller signs, too, and is helped only while sessions stand idle: with
    as many callers as sessions each of them does its own batch, and no thread
    is woken for a single signature.
    """

    def __init__(self, sessions: int, name: str, idle: Callable[[], int]) -> None:
        self._threads = ThreadPoolExecutor(max(sessions - 1, 1), f"vault-{name}")
        self._idle = idle
        # More threads than sessions would only take the interpreter from each other.
        self._gate = threading.Semaphore(sessions)

    def __call__(self, way: Way, data: Sequence[bytes]) -> list[bytes | CAError]:
        results: list[bytes | CAError] = [b""] * len(data)
        places = iter(range(len(data)))  # one for all: next() of it is a single step
        helpers = max(min(self._idle(), len(data)) - 1, 0)
        run = min(-(-len(data) // (helpers + 1)), RUN)
        begun = [
            self._threads.submit(self._sign, way, data, results, places, run)
            for _ in range(helpers)
        ]
        try:
            self._sign(way, data, results, places, run)
        finally:
            for one in begun:
                if not one.cancel():
                    one.result()
        return results

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _sign(
        self,
        way: Way,
        data: Sequence[bytes],
        results: list[bytes | CAError],
        places: Iterator[int],
        run: int,
    ) -> None:
        signing: Runs = way.sign  # type: ignore[assignment]
        while taken := list(islice(places, run)):
            while taken:
                with self._gate:
                    made = signing.run([data[place] for place in taken])
                    for place, one in zip(taken, made, strict=False):
                        results[place] = _checked(way, one, data[place])
                del taken[: len(made)]


def _checked(way: Way, made: bytes | CAError, data: bytes) -> bytes | CAError:
    """Verified when the session is somebody else's already."""
    try:
        if isinstance(made, bytes):
            way.check(made, data)
    except CAError as error:
        return error
    return made
