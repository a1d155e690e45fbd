"""One module for all tokens behind it: it is initialised once, and restarted for all of them."""

import threading
from pathlib import Path
from typing import Final, Protocol

from chancery.signer.pkcs11.cryptoki import Module, TokenError

_known: dict[Path, "SharedModule"] = {}
_known_lock = threading.Lock()


class User(Protocol):
    """A token that has sessions of the module."""

    @property
    def healthy(self) -> bool: ...

    def pause(self) -> bool:
        """Lend nothing and wait until nothing is lent; False if something stays out."""
        ...

    def resume(self, *, restarted: bool) -> None:
        """Lend again; after a restart with new sessions."""
        ...


class SharedModule:
    """A module and its users.  Some modules see a token that came back only once restarted."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.lock: Final = threading.RLock()
        self._module: Module | None = None
        self._users: list[User] = []

    @classmethod
    def at(cls, path: Path) -> "SharedModule":
        """The one of this process."""
        with _known_lock:
            return _known.setdefault(path.resolve(), cls(path))

    def join(self, user: User) -> None:
        with self.lock:
            self._users.append(user)

    def leave(self, user: User) -> None:
        """The last one to go finalises the module."""
        with self.lock:
            if user in self._users:
                self._users.remove(user)
            if not self._users and self._module is not None:
                self._finalize(self._module)

    def loaded(self) -> Module:
        """The module, initialised.  Raises OSError, TokenError."""
        with self.lock:
            if self._module is None:
                self._module = Module(self.path)
            self._module.initialize()
            return self._module

    def others_healthy(self, user: User) -> bool:
        with self.lock:
            return any(one is not user and one.healthy for one in self._users)

    def restart(self) -> Module:
        """Finalise and initialise while nobody is inside.  Raises TokenError if somebody stays."""
        with self.lock:
            if self._module is None:
                return self.loaded()
            paused: list[User] = []
            restarted = False
            try:
                for user in self._users:
                    paused.append(user)
                    if not user.pause():
                        raise TokenError("Finalize", 0x6)
                self._finalize(self._module)
                restarted = True
                self._module.initialize()
                return self._module
            finally:
                for user in paused:
                    user.resume(restarted=restarted)

    @staticmethod
    def _finalize(module: Module) -> None:
        try:
            module.finalize()
        except TokenError as error:
            if error.code != 0x190:  # it was not initialised: a start had failed before
                raise
