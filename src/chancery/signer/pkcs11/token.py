"""A token in use: one login, a pool of sessions, and a circuit breaker.

While the token is away nobody waits for it: callers get Unavailable at once,
and a thread of its own tries to bring it back, ever less often.  Nothing logs
out while we serve; a connection that was lost is made anew with the module
restarted, since SoftHSM and others do not see a returned token otherwise.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chancery.domain.errors import CAError, Unavailable
from chancery.domain.vaults import TokenFacts, VaultState
from chancery.signer import files
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11.cryptoki import Module, TokenError, TokenInfo
from chancery.signer.pkcs11.module import SharedModule
from chancery.signer.pkcs11.pins import PinSource, Refused
from chancery.signer.pkcs11.session import Session

PROBE_S: Final = 1.0
"""Seconds between looks at a token that is up."""
BACK_OFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each attempt to bring a token back; the last one again and again."""
SPARING_S: Final = 15.0
"""The same where other tokens of the module are up: a restart makes them wait for a moment."""
BUSY_S: Final = 8.0
"""Seconds to wait for a session; with all of them out that long the token hangs."""
MAX_LOGINS: Final = 2
"""Logins that may fail in a row, for whatever reason: one, and one automatic retry."""


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which token, and how it is used."""

    name: str
    module: Path
    label: str | None
    serial: str | None
    sessions: int


class Token:
    """Safe for concurrent use."""

    def __init__(
        self,
        settings: TokenSettings,
        pin: PinSource,
        refused: Refused,
        *,
        log: Callable[..., None] = lambda *_, **__: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._pin = pin
        self._refused = refused
        self._log = log
        self._now = now
        self._module = SharedModule.at(settings.module)
        self._condition = threading.Condition()
        self._free: list[Session] = []
        self._lent: set[Session] = set()
        self._paused = False
        self._closed = False
        self._failed_logins = 0
        self.state = VaultState.AWAY
        self.reason: str | None = "not connected yet"
        self.since = int(now())
        self.facts: TokenFacts | None = None
        self.lost = 0
        self._wake = threading.Event()
        self._module.join(self)
        self._keeper = threading.Thread(target=self._keep, name="token", daemon=True)

    def start(self) -> None:
        """Connect once, and keep it so from now on."""
        self._attempt(restart=False)
        self._keeper.start()

    # What the module's other users and its restart need.

    @property
    def healthy(self) -> bool:
        return self.state is VaultState.UP

    @property
    def busy(self) -> int:
        return len(self._lent)

    @property
    def idle(self) -> int:
        """Sessions that nobody has at the moment."""
        return len(self._free)

    def pause(self) -> bool:
        with self._condition:
            self._paused = True
            return self._condition.wait_for(lambda: not self._lent, BUSY_S)

    def resume(self, *, restarted: bool) -> None:
        with self._condition:
            if restarted:
                self._free = []
        if restarted and self.healthy:
            try:
                self._connect(self._module.loaded())
            except (TokenError, OSError, CAError) as error:
                self.trip(str(error))
        with self._condition:
            self._paused = False
            self._condition.notify_all()

    # Using it.

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session of one's own for a while.  Raises Unavailable; TokenError passes through."""
        session = self._borrow()
        try:
            yield session
        except TokenError as error:
            if error.lost:
                self.trip(str(error))
            raise
        finally:
            self._give_back(session)

    def _borrow(self) -> Session:
        with self._condition:
            if not self._free or self._paused:
                self._condition.wait_for(
                    lambda: self.state is not VaultState.UP or (self._free and not self._paused),
                    BUSY_S,
                )
            if self.state is not VaultState.UP:
                raise self.away()
            if self._free and not self._paused:
                session = self._free.pop()
                self._lent.add(session)
                return session
        self.trip(f"no session came free in {BUSY_S:.0f} s")
        raise self.away()

    def _give_back(self, session: Session) -> None:
        with self._condition:
            self._lent.discard(session)
            if self.state is VaultState.UP:
                self._free.append(session)
            self._condition.notify()
            if not self._lent:
                self._condition.notify_all()

    def away(self) -> Unavailable:
        """What callers are told while it is not up."""
        remedy = {
            VaultState.PIN_WANTED: f"`chancery vault unlock {self._settings.name}` on its machine",
            VaultState.PIN_REFUSED: "put the right PIN into its file; the old one is sent no more",
        }.get(self.state, "try again; it is looked for all the time")
        return Unavailable(
            f"vault {self._settings.name} is {self.state}: {self.reason}",
            field="vault",
            rule=f"vault.{self.state}",
            remedy=remedy,
        )

    def trip(self, reason: str) -> None:
        """Open the circuit: nobody asks the token any more until it is back."""
        with self._condition:
            if self.state is not VaultState.UP:
                return
            self.lost += 1
            self._set(VaultState.AWAY, reason)
            self._free = []
            self._condition.notify_all()
        self._wake.set()

    def unlock(self, pin: bytearray) -> None:
        """Use a PIN that somebody typed, now.  Raises Unavailable if that does not help."""
        if self.healthy:
            files.wipe(pin)
            return
        self._pin.typed(pin)
        with self._condition:
            self._failed_logins = 0
        self._attempt(restart=True)
        if not self.healthy:
            if self.state is VaultState.PIN_REFUSED:
                self._pin.forget()
            raise self.away()

    def close(self) -> None:
        """Let go of the token: the last user of the module logs out with it."""
        self._closed = True
        self._wake.set()
        if self._keeper.is_alive():
            self._keeper.join(BUSY_S)
        self.pause()
        with self._condition:
            self._set(VaultState.AWAY, "closed")
            self._free = []
        with suppress(TokenError):
            self._module.leave(self)
        self._pin.forget()

    # Keeping it.

    def _keep(self) -> None:
        attempts = 0
        while not self._closed:
            if self.state is VaultState.UP:
                attempts = 0
                if not self._wake.wait(PROBE_S):
                    self._probe()
                self._wake.clear()
                continue
            wait = BACK_OFF_S[min(attempts, len(BACK_OFF_S) - 1)]
            if attempts and self._module.others_healthy(self):
                wait = SPARING_S
            self._wake.clear()
            if self._wake.wait(wait) and self._closed:
                return
            attempts += 1
            # A PIN is missing, not the token: nothing would be gained by a restart.
            self._attempt(restart=self.state is VaultState.AWAY)

    def _probe(self) -> None:
        """Is it still there, and the same one?"""
        facts = self.facts
        try:
            with self.session() as session:
                session.alive()
                found = self._find(session.module)
        except TokenError as error:
            self.trip(str(error))
        except CAError as error:
            if self.state is VaultState.UP:
                self.trip(str(error))
        else:
            if facts is not None and found.serial != facts.serial:
                self.trip(f"another token is there: {found.serial}")

    def _attempt(self, *, restart: bool) -> None:
        """Try to connect; what is in the way becomes the state."""
        try:
            module = self._module.restart() if restart else self._module.loaded()
            self._connect(module)
        except (TokenError, OSError) as error:
            self._set(VaultState.AWAY, str(error))
        except CAError as error:
            if error.rule in ("vault.pin-refused", "vault.pin-wanted"):
                self._set(VaultState(error.rule.removeprefix("vault.")), str(error))
            else:
                self._set(VaultState.AWAY, str(error))

    def _connect(self, module: Module) -> None:
        """Log in and fill the pool.  Raises TokenError, Unavailable."""
        with self._module.lock:
            info = self._find(module)
            opened = [Session(module, module.open_session(info.slot))]
            try:
                self._login(opened[0], info)
                while len(opened) < self._settings.sessions:
                    opened.append(Session(module, module.open_session(info.slot)))
            except (TokenError, CAError):
                for session in opened:
                    with suppress(TokenError):
                        session.close()
                raise
            names = {c.MECHANISMS.get(m) for m in module.mechanisms(info.slot)} - {None}
        with self._condition:
            self.facts = TokenFacts(
                info.label,
                info.serial,
                info.manufacturer,
                info.model,
                info.firmware,
                tuple(sorted(name for name in names if name)),
            )
            self._free = opened
            self._set(VaultState.UP, None)
            self._condition.notify_all()

    def _find(self, module: Module) -> TokenInfo:
        """The one token that the settings name."""
        wanted = self._settings
        found = []
        for slot in module.slots():
            try:
                info = module.token(slot)
            except TokenError:
                continue  # another slot's trouble is not ours
            if not info.flags & c.CKF_TOKEN_INITIALIZED:
                continue
            if wanted.label in (None, info.label) and wanted.serial in (None, info.serial):
                found.append(info)
        if len(found) != 1:
            self._failed_logins = 0  # it was taken away since: another story begins
            what = wanted.serial or wanted.label
            raise Unavailable(
                f"{len(found) or 'no'} token{'s' if found else ''} {what!r} in its slots",
                field="vault",
                rule="vault.token",
                remedy="name it by its serial, too" if found else "put the token back",
            )
        return found[0]

    def _login(self, session: Session, info: TokenInfo) -> None:
        pin = self._pin.read()
        if pin is None:
            raise self._pin_trouble("pin-wanted", "nobody has typed its PIN yet")
        try:
            self._check_may_try(pin, info)
            try:
                session.module.login(session.handle, pin)
            except TokenError as error:
                if error.code == c.CKR_USER_ALREADY_LOGGED_IN:
                    return
                if error.code in range(c.CKR_PIN_INCORRECT, c.CKR_PIN_LOCKED + 1):
                    self._refused.note(pin)
                    raise self._pin_trouble("pin-refused", str(error)) from error
                self._failed_logins += 1
                raise
        finally:
            files.wipe(pin)
        self._failed_logins = 0
        self._refused.clear()

    def _check_may_try(self, pin: bytearray, info: TokenInfo) -> None:
        """A wrong PIN is never sent twice, and the last try is left to people."""
        if self._refused.knows(pin):
            raise self._pin_trouble("pin-refused", "the token refused this PIN before")
        if info.flags & c.CKF_USER_PIN_LOCKED:
            raise self._pin_trouble("pin-refused", "the token has locked its user PIN")
        if info.flags & c.CKF_USER_PIN_FINAL_TRY:
            raise self._pin_trouble(
                "pin-refused", "one more wrong PIN would lock the token: log in by other means"
            )
        if self._failed_logins >= MAX_LOGINS:
            raise self._pin_trouble(
                "pin-refused", f"{MAX_LOGINS} logins failed: restart, or unlock"
            )

    @staticmethod
    def _pin_trouble(state: str, why: str) -> Unavailable:
        return Unavailable(why, field="vault", rule=f"vault.{state}")

    def _set(self, state: VaultState, reason: str | None) -> None:
        if (state, reason) == (self.state, self.reason):
            return
        if state is not self.state:
            self.since = int(self._now())
        self.state, self.reason = state, reason
        self._log("vault", vault=self._settings.name, state=state.value, reason=reason)
