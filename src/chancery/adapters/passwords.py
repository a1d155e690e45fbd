"""Argon2id, with a bound on how much memory logins may take at once."""

from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import InvalidHashError, VerificationError

from chancery.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Argon2Hasher:
    """Hashes and checks passwords; implements ``ports.PasswordHasher``.

    The defaults are OWASP's floor (19 MiB, 2 passes, 1 lane; about 30 ms).  At
    most *concurrency* hashes run at once, so a flood of logins costs
    *concurrency* x *memory_kib* and no more; who waits longer than *wait_s*
    gets Unavailable.
    """

    def __init__(
        self,
        *,
        memory_kib: int = 19_456,
        passes: int = 2,
        concurrency: int = 2,
        wait_s: float = 5.0,
    ) -> None:
        self._argon2 = Argon2(time_cost=passes, memory_cost=memory_kib, parallelism=1, type=Type.ID)
        self._slots = BoundedSemaphore(concurrency)
        self._wait_s = wait_s

    def hash(self, password: str) -> str:
        """Return the PHC string of *password* under a fresh salt."""
        with self._slot():
            return self._argon2.hash(password)

    def verify(self, phc: str, password: str) -> bool:
        """Say whether *password* made *phc*; a damaged *phc* matches nothing."""
        with self._slot():
            try:
                return self._argon2.verify(phc, password)
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, phc: str) -> bool:
        """Say whether *phc* was made with other parameters than today's."""
        try:
            return self._argon2.check_needs_rehash(phc)
        except InvalidHashError:
            return True

    @contextmanager
    def _slot(self) -> "Iterator[None]":
        if not self._slots.acquire(timeout=self._wait_s):
            raise Unavailable(
                "too many logins at this moment",
                rule="password.concurrency",
                remedy="try again in a few seconds",
            )
        try:
            yield
        finally:
            self._slots.release()
