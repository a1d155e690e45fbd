"""Accounts: opened, changed, ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.acme import Account, AccountStatus
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.audit import AuditEvent
from chancery.domain.door import Door
from chancery.domain.enrolment import Credential, CredentialState
from chancery.domain.errors import (
    AlreadyExists,
    BadName,
    BadRequest,
    Conflict,
    NotAuthenticated,
    NotPermitted,
)
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.acme.limits import Limits
from chancery.services.audit import event
from chancery.wire.jwk import SigningKey

_CONTACTS: Final = 10


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a client asks for (RFC 8555 §7.3).  *credential* was proved by its MAC."""

    contacts: tuple[str, ...] = ()
    agreed: bool = False
    only_existing: bool = False
    credential: Credential | None = None


class KeyTaken(Conflict):
    """Another account has this key; *account* is its id (RFC 8555 §7.3.5)."""

    def __init__(self, account: str) -> None:
        super().__init__(
            "an account has this key already",
            field="jwk",
            rule="acme.key.taken",
            remedy="make a new key",
        )
        self.account: Final = account


class AccountService:
    """See the module."""

    def __init__(self, store: Store, limits: Limits, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._entropy = entropy

    def any_by_id(self, door: Door, account_id: str) -> Account:
        """An account of that door, valid or not; BadRequest if there is none."""
        with self._store.read() as session:
            found = session.acme.account(account_id)
        if found is None or found.door != door.name:
            raise _unknown()
        return found

    def valid(self, account: Account) -> Account:
        """NotAuthenticated for one that was ended."""
        return _valid(account)

    def by_key(self, door: Door, key: SigningKey) -> Account | None:
        """The valid account of that key, if there is one; NotAuthenticated for an ended one."""
        with self._store.read() as session:
            found = session.acme.account_of_key(door.name, key.thumbprint)
        return _valid(found) if found is not None else None

    def open(
        self, door: Door, settings: AcmeSettings, key: SigningKey, new: NewAccount, origin: str
    ) -> tuple[Account, bool]:
        """The account of *key*, and whether it was opened just now."""
        known = self.by_key(door, key)
        if known is not None:
            return known, False
        if new.only_existing:
            raise _unknown()
        self._check(door, settings, new, origin)
        now = self._clock.ms()
        account = Account(
            id=new_id(now, self._entropy(10)),
            door=door.name,
            status=AccountStatus.VALID,
            thumbprint=key.thumbprint,
            jwk=key.canonical,
            key_sha256=key.key_sha256,
            contacts=new.contacts,
            credential_id=new.credential.id if new.credential is not None else None,
            reference=new.credential.reference if new.credential is not None else "",
            agreed=new.agreed,
            created_at=now // 1000,
            origin=origin,
        )

        def unit(session: Session) -> tuple[Account, bool]:
            meanwhile = session.acme.account_of_key(door.name, key.thumbprint)
            if meanwhile is not None:
                return meanwhile, False
            if new.credential is not None:
                _bind(session, new.credential, account)
            session.acme.add_account(account)
            session.audit.append([_event(door, account, "opened", origin)], now)
            return account, True

        try:
            found, made = self._store.write(unit)
        except AlreadyExists:  # another node was faster
            found, made = self.by_id_of_key(door, key), False
        return _valid(found), made

    def by_id_of_key(self, door: Door, key: SigningKey) -> Account:
        found = self.by_key(door, key)
        if found is None:
            raise _bound()
        return found

    def update(
        self,
        door: Door,
        account: Account,
        contacts: Sequence[str] | None,
        *,
        agreed: bool,
        origin: str,
    ) -> Account:
        """Change what its holder may change."""
        changed = replace(
            account,
            contacts=account.contacts if contacts is None else check_contacts(contacts),
            agreed=account.agreed or agreed,
        )
        if changed == account:
            return account
        now = self._clock.ms()

        def unit(session: Session) -> None:
            session.acme.update_account(account.id, changed.contacts, agreed=changed.agreed)
            session.audit.append([_event(door, changed, "changed", origin)], now)

        self._store.write(unit)
        return changed

    def change_key(self, door: Door, account: Account, key: SigningKey, origin: str) -> Account:
        """Give it another key (RFC 8555 §7.3.5); KeyTaken where that is somebody's."""
        now = self._clock.ms()
        changed = replace(
            account, thumbprint=key.thumbprint, jwk=key.canonical, key_sha256=key.key_sha256
        )

        def unit(session: Session) -> None:
            owner = session.acme.account_of_key(door.name, key.thumbprint)
            if owner is not None:
                raise KeyTaken(owner.id)
            session.acme.change_key(account.id, key.thumbprint, key.canonical, key.key_sha256)
            session.audit.append([_event(door, changed, "key-changed", origin)], now)

        self._store.write(unit)
        return changed

    def deactivate(self, door: Door, account: Account, origin: str) -> Account:
        """End it, as its holder wishes."""
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if session.acme.end_account(account.id, AccountStatus.DEACTIVATED):
                session.audit.append([_event(door, account, "deactivated", origin)], now)

        self._store.write(unit)
        return replace(account, status=AccountStatus.DEACTIVATED)

    def credential(self, account: Account) -> Credential | None:
        """The external account key behind it; NotPermitted once that is closed."""
        if account.credential_id is None:
            return None
        with self._store.read() as session:
            found = session.enrolments.credential(account.credential_id)
        if (
            found is None
            or found.state is not CredentialState.OPEN
            or found.expired(self._clock.s())
        ):
            raise NotPermitted(
                "the external account key of this account is no longer valid",
                field="account",
                rule="acme.binding",
                remedy="have a new one made, and open an account with it",
            )
        return found

    def _check(self, door: Door, settings: AcmeSettings, new: NewAccount, origin: str) -> None:
        check_contacts(new.contacts)
        if settings.terms_of_service is not None and not new.agreed:
            raise NotPermitted(
                "the terms of service must be agreed to",
                field="termsOfServiceAgreed",
                rule="acme.terms",
                remedy=f"read {settings.terms_of_service}",
            )
        if settings.external_account_required and new.credential is None:
            raise NotPermitted(
                "accounts are opened with an external account key",
                field="externalAccountBinding",
                rule="acme.binding.required",
                remedy="have one made by `chancery acme eab create`",
            )
        self._limits.take(door, "new accounts", settings.account_rate, origin)


def check_contacts(contacts: Sequence[str]) -> tuple[str, ...]:
    """``mailto:`` and one address each (RFC 8555 §7.3)."""
    if len(contacts) > _CONTACTS:
        raise _contact(f"{len(contacts)} contacts", f"give at most {_CONTACTS}")
    for contact in contacts:
        scheme, _, address = contact.partition(":")
        if scheme.lower() != "mailto":
            raise BadRequest(
                f"{contact[:100]!r} cannot be reached from here",
                field="contact",
                rule="acme.contact.kind",
                remedy="use mailto:",
            )
        try:
            name_syntax.email(address)
        except BadName as error:
            raise _contact(str(error), error.remedy or "give an address") from None
    return tuple(contacts)


def _bind(session: Session, credential: Credential, account: Account) -> None:
    """One key opens one account."""
    if session.acme.account_of_credential(credential.id) is not None:
        raise _bound()
    data = {**credential.data, "account": account.id}
    session.enrolments.set_credential_data(credential.id, data)


def _valid(account: Account) -> Account:
    if account.status is not AccountStatus.VALID:
        raise NotAuthenticated(
            f"this account is {account.status.value}",
            field="account",
            rule="acme.account.valid",
            remedy="open another with a new key",
        )
    return account


def _event(door: Door, account: Account, what: str, origin: str) -> AuditEvent:
    return event(
        door.principal(account.who, origin),
        f"acme-account.{what}",
        account.id,
        door=door.name,
        key=account.key_sha256,
        contacts=list(account.contacts),
        credential=account.credential_id,
    )


def _unknown() -> BadRequest:
    return BadRequest(
        "there is no such account", field="account", rule="acme.account.known", remedy="open one"
    )


def _bound() -> NotPermitted:
    return NotPermitted(
        "this external account key has opened another account",
        field="externalAccountBinding",
        rule="acme.binding",
        remedy="have a new one made",
    )


def _contact(what: str, remedy: str) -> BadRequest:
    return BadRequest(what, field="contact", rule="acme.contact", remedy=remedy)
