"""What every part of the key services stands on: who may do what, and which key is meant."""

from dataclasses import dataclass, replace
from typing import Any, Final

from chancery.domain.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    NotPermitted,
)
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.key_groups import KeyGroup, KeyRight, KeyTemplate
from chancery.domain.key_orders import KeyAction, KeyAuthority, KeyOrder, OrderState
from chancery.domain.key_states import Effect, demand_state
from chancery.domain.managed_key import KeyVersion, ManagedKey
from chancery.domain.shipped_keys import TEMPLATES
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_keys import KeyEntry, ManagedVault
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.wire import documents

ORDER_DAYS: Final = 7
DAY: Final = 86_400
ENTRIES: Final = 500
"""Entries of components that are looked through: they are few, and end within days."""


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key with its versions, newest first."""

    key: ManagedKey
    versions: list[KeyVersion]

    @property
    def current(self) -> KeyVersion:
        return next(one for one in self.versions if one.number == self.key.current)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of something asked: the key and perhaps octets; or an order that waits."""

    view: KeyView | None = None
    order: KeyOrder | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Desk:
    """Held by each part of the key services."""

    store: Store
    vault: ManagedVault
    clock: Clock
    entropy: Entropy
    approved_mode: bool = False

    def rights(self, principal: Principal, group: KeyGroup) -> frozenset[KeyRight]:
        """What *principal* may do with the keys of *group*.

        Whoever may do anything may look, and so may those who oversee.
        """
        if principal.method is AuthMethod.SYSTEM:
            return frozenset(KeyRight)
        found = group.rights(principal)
        if found or {Permission.AUDIT_READ, Permission.KEY_POLICY} & principal.permissions:
            found |= {KeyRight.VIEW}
        return found

    def effective(self, principal: Principal, group: KeyGroup) -> frozenset[KeyRight]:
        """Rights in *group* that *principal* also has the permission for."""
        rights = self.rights(principal, group)
        return frozenset(one for one in rights if _PERMISSION[one] in principal.permissions)

    def visible(self, session: Session, principal: Principal) -> frozenset[str] | None:
        """Names of the groups whose keys *principal* may see."""
        demand(principal, Permission.KEY_READ)
        return frozenset(
            group.name for group in session.keys.groups() if self.rights(principal, group)
        )

    def group(self, session: Session, principal: Principal, name: str, right: KeyRight) -> KeyGroup:
        """The key group, where *principal* has *right* in it."""
        demand(principal, _PERMISSION[right])
        group = session.keys.group(name)
        mine = self.rights(principal, group) if group is not None else frozenset()
        if group is None or not mine:
            raise NotFound(
                f"no key group {name[:64]!r} that you may see",
                field="group",
                rule="key-group.known",
                remedy="`chancery key-group list` shows those there are",
            )
        if right not in mine:
            raise NotPermitted(
                f"{principal.name} has no right to {right.value} the keys of {name}",
                field="group",
                rule=f"key-group.{right.value}",
                remedy="ask an administrator to grant it: `chancery key-group set`",
            )
        return group

    def key(
        self, session: Session, principal: Principal, name: str, right: KeyRight
    ) -> tuple[ManagedKey, KeyGroup]:
        """The key, where *principal* has *right* in its group."""
        demand(principal, _PERMISSION[right])
        key = session.keys.get(name)
        group = session.keys.group(key.group) if key is not None else None
        if key is None or group is None or not self.rights(principal, group):
            raise NotFound(
                f"no key {name[:64]!r} that you may see",
                field="key",
                rule="key.known",
                remedy="`chancery key list` shows those there are",
            )
        return key, self.group(session, principal, key.group, right)

    def usable(
        self,
        session: Session,
        principal: Principal,
        name: str,
        effect: Effect,
        number: int | None = None,
        *,
        despite: str = "",
    ) -> tuple[ManagedKey, KeyVersion, KeyAuthority]:
        """The key and the version to use now; a refusal names its state and since when."""
        key, _ = self.key(session, principal, name, KeyRight.USE)
        if despite:
            self.key(session, principal, name, KeyRight.MANAGE)
        version = self.version(session, key, number)
        what = f"{key.name} version {version.number}"
        now = self.clock.s()
        demand_state(version.dates, effect, now, despite=bool(despite), what=what)
        return key, version, replace(authority(principal), despite=despite)

    def version(self, session: Session, key: ManagedKey, number: int | None = None) -> KeyVersion:
        found = session.keys.version(key.id, key.current if number is None else number)
        if found is None:
            raise NotFound(
                f"{key.name} has no version {number}",
                field="version",
                rule="key.version",
                remedy="`chancery key show` lists its versions",
            )
        return found

    def view(self, session: Session, key: ManagedKey) -> KeyView:
        return KeyView(key, session.keys.versions(key.id))

    def template(self, session: Session, name: str) -> KeyTemplate:
        found = session.keys.template(name) or TEMPLATES.get(name)
        if found is None:
            raise NotFound(
                f"no key template {name[:64]!r}",
                field="template",
                rule="key-template.known",
                remedy="`chancery key-template list` shows those there are",
            )
        return found

    def free(self, session: Session, name: str) -> None:
        """Raise AlreadyExists if a key has that name; before anything is made for it."""
        if session.keys.get(name) is not None:
            raise AlreadyExists(
                f"there is a key {name} already",
                field="name",
                rule="key.exists",
                remedy="choose another name; a new version is made by `chancery key rotate`",
            )

    def new_id(self) -> str:
        return new_id(self.clock.ms(), self.entropy(10))

    def order(
        self,
        principal: Principal,
        key: ManagedKey,
        action: KeyAction,
        parameters: dict[str, Any],
        needed: int,
    ) -> Outcome:
        """Put on record that *principal* wants this, for others to agree to."""
        now = self.clock.ms()
        content = documents.sha256([action.value, key.id, parameters])
        order = KeyOrder(
            id=self.new_id(),
            key=key.name,
            group=key.group,
            action=action,
            parameters=parameters,
            content=content,
            needed=needed,
            requested_by=tuple(sorted(principal.people)),
            approvers=(),
            state=OrderState.OPEN,
            created_at=now // 1000,
            expires_at=now // 1000 + ORDER_DAYS * DAY,
        )

        def unit(session: Session) -> None:
            session.keys.add_order(order)
            asked = event(
                principal, "key-order.opened", order.id, key=key.name, wish=action.value,
                content=content, needed=needed,
            )  # fmt: skip
            session.audit.append([asked], now)

        self.store.write(unit)
        return Outcome(order=order)

    def withdraw_parts(self, principal: Principal, name: str) -> None:
        """Erase the components of a key that its holders have not taken yet."""
        with self.store.read() as session:
            waiting = [
                entry
                for entry in session.keys.entries(None, ENTRIES)
                if entry.key == name and entry.outward and not entry.closed
            ]
        for entry in waiting:
            self.drop_parts(principal, entry)

    def drop_parts(self, principal: Principal, entry: KeyEntry) -> None:
        """Erase what waits of an entry, and close it."""
        self.vault.drop_parts(entry.id, authority(principal))
        now = self.clock.ms()

        def unit(session: Session) -> None:
            session.keys.put_entry(replace(entry, closed=True))
            told = event(principal, "key-component.dropped", entry.key, entry=entry.id)
            session.audit.append([told], now)

        self.store.write(unit)

    def close(self, session: Session, order: KeyOrder | None) -> None:
        """Note that what others agreed to is done; once."""
        if order is not None:
            done = replace(order, state=OrderState.DONE, closed_at=self.clock.s())
            session.keys.update_order(done, before=order)


def needed(key: ManagedKey, group: KeyGroup, least: int = 0) -> int:
    """How many others must agree to what changes this key or takes it out."""
    return max(least, key.rules.approvals, group.approvals)


def authority(principal: Principal, order: KeyOrder | None = None) -> KeyAuthority:
    """Who acts, and who agreed, as the key boundary hears of it."""
    halves = [principal.name, principal.partner] if principal.partner else [principal.name]
    return KeyAuthority("+".join(halves), () if order is None else order.approvers)


def unchanged(session: Session, version: KeyVersion) -> None:
    """Raise Conflict if somebody moved this version since it was read."""
    now = session.keys.version(version.key, version.number)
    if now is None or now.dates != version.dates:
        raise Conflict(
            "the key was changed by somebody else just now",
            field="name",
            rule="key.changed",
            remedy="look at it again",
        )


_PERMISSION: Final = {
    KeyRight.VIEW: Permission.KEY_READ,
    KeyRight.USE: Permission.KEY_USE,
    KeyRight.MANAGE: Permission.KEY_MANAGE,
    KeyRight.APPROVE: Permission.KEY_READ,
    KeyRight.HOLD: Permission.KEY_READ,
}
