"""Managed keys inside the signer: judged, used, put on record, and only then answered."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from chancery.domain.errors import BadRequest, CAError
from chancery.domain.key_orders import KeyAuthority
from chancery.domain.key_states import GONE, KeyDates, state_at
from chancery.domain.managed_key import KeyFacts, KeyKind, KeyRules, KeyUse
from chancery.signer.journal import Draft, Journal, Operation
from chancery.signer.keeper import refusal
from chancery.signer.managed import judge
from chancery.signer.managed.rulebook import Held, RuleBook, taken
from chancery.signer.managed.secrets import Secret, SecretVault

T = TypeVar("T")
MAX_DATA: Final = 16 * 1024 * 1024
"""Octets that are encrypted, signed or authenticated at once."""


class Boundary:
    """Rules, vaults and journal together.  Held by each part of the managed-key side."""

    def __init__(
        self,
        book: RuleBook,
        vaults: Mapping[str, SecretVault],
        journal: Journal,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.book: Final = book
        self._vaults = vaults
        self._journal = journal
        self._clock = clock
        self.approve: Callable[[KeyKind, KeyUse | None], None] = lambda _kind, _use: None
        """Refuses kinds and uses: approved mode.  Use None: the key is to be made."""

    @property
    def now(self) -> int:
        return int(self._clock())

    def vault(self, name: str) -> SecretVault:
        found = self._vaults.get(name)
        if found is None:
            raise BadRequest(
                f"there is no vault {name[:64]!r}",
                field="vault",
                rule="vault.unknown",
                remedy=f"one of: {', '.join(self._vaults)}",
            )
        return found

    def secret(self, held: Held) -> Secret:
        return self.vault(held.vault).get(held.handle)

    def demand(self, held: Held, wanted: KeyUse, who: KeyAuthority) -> None:
        """Raise unless the key may be used so now.  VERIFY of a secret key: checking a MAC."""
        self.approve(held.kind, wanted)
        if wanted is KeyUse.VERIFY and held.kind.secret:
            judge.check_mac(held, who, self.now)
        else:
            judge.use(held, wanted, who, self.now)

    def release(self, held: Held, who: KeyAuthority, *, least: int = 0) -> None:
        """Raise unless the key may be handed out: which protects nothing new."""
        self.approve(held.kind, KeyUse.UNWRAP)
        judge.leave(held, who, self.now, least=least)

    def judged(self, handle: str, data: bytes, work: Callable[[Held], T]) -> T:
        """Run *work* on the key; a refusal goes on record before it is answered."""
        try:
            return work(self.book.get(handle))
        except CAError as error:
            self._journal.append([refusal(handle, error, data=data)])
            raise

    def admit(
        self,
        handle: str,
        vault: str,
        kind: KeyKind,
        rules: KeyRules,
        dates: KeyDates,
        who: KeyAuthority,
        origin: str,
        put: Callable[[SecretVault], KeyFacts],
    ) -> KeyFacts:
        """Add a key whose material *put* makes in the vault."""
        rules.check(kind)
        self.approve(kind, None)
        where = self.vault(vault)
        if self.book.has(handle):
            raise taken(handle)
        where.destroy(handle)  # what a crash between material and rules left behind
        facts = put(where)
        detail = {
            "origin": origin,
            "kind": kind.value,
            "check_value": facts.check_value,
            "uses": " ".join(sorted(rules.uses)),
            "exportability": rules.exportability.value,
            "actor": who.actor[:200],
        }
        draft = Draft(Operation.MANAGED_MADE, handle, approvers=who.approvers, detail=detail)
        try:
            self._journal.append([draft])
            self.book.add(Held(handle, vault, kind, rules, dates, facts))
        except BaseException:
            where.destroy(handle)
            raise
        return facts

    def used(self, held: Held, operation: str, who: KeyAuthority, data: bytes = b"") -> None:
        """Put a use on record: a hash of what went in, never the thing itself."""
        detail = {"operation": operation, "actor": who.actor[:200]}
        if who.despite:
            detail["despite"] = who.despite[:500]
        digest = hashlib.sha256(data).digest()
        self._journal.append(
            [Draft(Operation.MANAGED_USED, held.handle, tbs_sha256=digest, detail=detail)]
        )

    def left(self, held: Held, how: str, who: KeyAuthority, **more: str) -> None:
        """Put on record that a key is handed out; before it is."""
        detail = {"how": how, "actor": who.actor[:200], **more}
        draft = Draft(
            Operation.MANAGED_LEFT, held.handle, approvers=tuple(sorted(who.others)), detail=detail
        )
        self._journal.append([draft])

    def component(self, entry: str, what: str, number: int, who: KeyAuthority) -> None:
        detail = {"what": what, "number": str(number), "actor": who.actor[:200]}
        self._journal.append([Draft(Operation.COMPONENT, entry, detail=detail)])

    def move(self, handle: str, dates: KeyDates, who: KeyAuthority) -> None:
        """Take a key along its life; destroyed, its material is gone before the answer."""

        def work(held: Held) -> None:
            now = self.now
            if held.dates != dates and not _same_end(held.dates, dates):
                judge.move(held, dates, who, now)
                detail = {
                    "from": state_at(held.dates, now).value,
                    "to": state_at(dates, now).value,
                    "actor": who.actor[:200],
                }
                draft = Draft(
                    Operation.MANAGED_MOVED,
                    handle,
                    approvers=tuple(sorted(who.others)),
                    detail=detail,
                )
                self._journal.append([draft])
                held = self.book.move(handle, dates)
            if state_at(held.dates, now) in GONE:
                self.vault(held.vault).destroy(handle)

        self.judged(handle, b"", work)


def _same_end(before: KeyDates, after: KeyDates) -> bool:
    """Destroying, or reporting, again what is so already: the first answer did not arrive."""
    return (before.destroyed, before.compromised) != (None, None) and (
        (before.destroyed is None, before.compromised is None)
        == (after.destroyed is None, after.compromised is None)
    )


def bounded(data: bytes) -> bytes:
    """Return *data*, or raise BadRequest."""
    if len(data) > MAX_DATA:
        raise BadRequest(
            f"{len(data)} octets at once; at most {MAX_DATA}", field="data", rule="data.size"
        )
    return data
