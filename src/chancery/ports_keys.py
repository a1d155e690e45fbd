"""What the key services need: the boundary that holds managed keys, and their record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.key_groups import KeyGroup, KeyTemplate
from chancery.domain.key_orders import KeyAuthority, KeyOrder, KeySeal, OrderState, Part
from chancery.domain.key_states import KeyDates
from chancery.domain.managed_key import KeyFacts, KeyKind, KeyRules, KeyVersion, ManagedKey


@dataclass(frozen=True, slots=True)
class NewKey:
    """What the boundary is told of a key to come."""

    handle: str
    vault: str
    kind: KeyKind
    rules: KeyRules
    dates: KeyDates


class ManagedVault(Protocol):
    """Managed keys behind the boundary.  Safe for concurrent use.

    The boundary judges by its own copy of rules and dates: SignerRefused or
    WrongState, whatever the service above let through; Unavailable when away.
    """

    def generate(self, new: NewKey, who: KeyAuthority) -> KeyFacts: ...
    def unwrap(
        self, new: NewKey, who: KeyAuthority, by: str, method: str, wrapped: bytes
    ) -> KeyFacts:
        """Take a key in that another managed key, *by*, opens."""
        ...

    def insert(self, new: NewKey, who: KeyAuthority, packed: bytes, passphrase: str) -> KeyFacts:
        """Take a private key in: PKCS#8 or PKCS#12 under a passphrase."""
        ...

    def derive(
        self, new: NewKey, who: KeyAuthority, by: str, method: str, context: bytes, salt: bytes
    ) -> KeyFacts: ...
    def move(self, handle: str, dates: KeyDates, who: KeyAuthority) -> None:
        """Set a key's dates; the same again is no error.  Destroyed, its material is erased."""
        ...

    def encrypt(self, handle: str, plain: bytes, aad: bytes, who: KeyAuthority) -> KeySeal: ...
    def decrypt(self, handle: str, seal: KeySeal, aad: bytes, who: KeyAuthority) -> bytes: ...
    def rewrap(
        self, old: str, seal: KeySeal, old_aad: bytes, new: str, new_aad: bytes, who: KeyAuthority
    ) -> KeySeal: ...
    def sign(self, handle: str, algorithm: str, data: bytes, who: KeyAuthority) -> bytes: ...
    def mac(self, handle: str, data: bytes, who: KeyAuthority) -> bytes: ...
    def check_mac(self, handle: str, data: bytes, mac: bytes, who: KeyAuthority) -> bool:
        """Whether *mac* is the one over *data*: reading, which an ended key may still do."""
        ...

    def wrap(
        self,
        handle: str,
        who: KeyAuthority,
        method: str,
        *,
        by: str = "",
        public: bytes = b"",
        header: str = "",
    ) -> bytes:
        """Hand a key out under another, *by*, or under somebody's public key (DER SPKI)."""
        ...

    def package(
        self, handle: str, who: KeyAuthority, form: str, passphrase: str, label: str
    ) -> bytes:
        """Hand a private key out: *form* ``pkcs8`` or ``pkcs12``, DER."""
        ...

    def random(self, count: int, who: KeyAuthority) -> bytes: ...
    def split(
        self, entry: str, handle: str, holders: Sequence[str], who: KeyAuthority
    ) -> KeyFacts: ...
    def put_part(
        self,
        entry: str,
        kind: KeyKind,
        place: tuple[int, int],
        component: bytes,
        check_value: str,
        who: KeyAuthority,
    ) -> Part:
        """Take component *place* (number, of how many) in.  Conflict: the same person twice."""
        ...

    def take_part(self, entry: str, number: int, who: KeyAuthority) -> Part:
        """A holder's own component, once."""
        ...

    def join(self, new: NewKey, entry: str, check_value: str, who: KeyAuthority) -> KeyFacts: ...
    def drop_parts(self, entry: str, who: KeyAuthority) -> None: ...
    def escrow(
        self, handle: str, agents: Sequence[bytes], threshold: int, who: KeyAuthority
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """(the sealed key, a share for each agent's public key)."""
        ...

    def recover(
        self, new: NewKey, sealed: bytes, shares: Sequence[str], who: KeyAuthority
    ) -> KeyFacts: ...


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys; empty: all.  *groups* None: of any group."""

    groups: frozenset[str] | None = None
    group: str = ""
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """Components on their way in or out; *done* are the numbers entered or taken, with by whom."""

    id: str
    key: str
    group: str
    outward: bool
    total: int
    document: str
    created_by: str
    created_at: int
    expires_at: int
    closed: bool


class KeyRecords(Protocol):
    """Keys, versions, groups, templates, orders and entries.  Names are unique."""

    def groups(self) -> list[KeyGroup]: ...
    def group(self, name: str) -> KeyGroup | None: ...
    def put_group(self, group: KeyGroup) -> None: ...
    def delete_group(self, name: str) -> bool: ...
    def templates(self) -> list[KeyTemplate]: ...
    def template(self, name: str) -> KeyTemplate | None: ...
    def put_template(self, template: KeyTemplate) -> None: ...
    def delete_template(self, name: str) -> bool: ...
    def add(self, key: ManagedKey, version: KeyVersion) -> None:
        """AlreadyExists if the name is taken."""
        ...

    def update(self, key: ManagedKey, *, before: ManagedKey) -> None:
        """Compare and set by *before*'s current version and rotation; Conflict if it has moved."""
        ...

    def add_version(self, version: KeyVersion) -> None: ...
    def update_version(self, version: KeyVersion) -> None: ...
    def get(self, name: str) -> ManagedKey | None: ...
    def by_id(self, key_id: str) -> ManagedKey | None: ...
    def find(self, where: KeyFilter, cursor: str | None, limit: int) -> list[ManagedKey]:
        """By name, after *cursor*."""
        ...

    def versions(self, key_id: str) -> list[KeyVersion]:
        """Newest first."""
        ...

    def version(self, key_id: str, number: int) -> KeyVersion | None: ...
    def due(self, now: int, limit: int) -> list[ManagedKey]:
        """Keys whose rotation is due."""
        ...

    def in_view(self, now: int, limit: int) -> list[ManagedKey]:
        """Keys of which there may be something to tell (``key_notices``), the latest first."""
        ...

    def add_order(self, order: KeyOrder) -> None: ...
    def order(self, order_id: str) -> KeyOrder | None: ...
    def update_order(self, order: KeyOrder, *, before: KeyOrder) -> None:
        """Compare and set by *before*'s state and approvers; WrongState if it has moved."""
        ...

    def orders(self, state: OrderState | None, cursor: str | None, limit: int) -> list[KeyOrder]:
        """Newest first, after *cursor*."""
        ...

    def put_entry(self, entry: KeyEntry) -> None: ...
    def entry(self, entry_id: str) -> KeyEntry | None: ...
    def entries(self, cursor: str | None, limit: int) -> list[KeyEntry]:
        """Newest first."""
        ...

    def put_escrow(self, key_id: str, number: int, document: str, now: int) -> None: ...
    def escrow(self, key_id: str, number: int) -> str | None: ...
