"""Small stand-ins for what identity rests on."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chancery.domain.errors import CAError

PASSWORD = "correct horse battery staple"


class SteppedClock:
    """Moves when told to.  Seconds in, milliseconds out."""

    def __init__(self, now: int = 1_790_000_000) -> None:
        self.now = now

    def ms(self) -> int:
        return self.now * 1000

    def s(self) -> int:
        return self.now


class CountingHasher:
    """Argon2id's contract without its cost; counts what it was asked, so tests compare work."""

    def __init__(self, version: str = "v1") -> None:
        self.version = version
        self.hashed = 0
        self.verified: list[str] = []

    def hash(self, password: str) -> str:
        self.hashed += 1
        return f"{self.version}:{password}"

    def verify(self, phc: str, password: str) -> bool:
        self.verified.append(phc)
        return phc.partition(":")[2] == password

    def outdated(self, phc: str) -> bool:
        return not phc.startswith(f"{self.version}:")


@contextmanager
def refused(kind: type[CAError], rule: str) -> Iterator[None]:
    """Expect an error of *kind* that names *rule*."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.rule == rule
