"""Authorizations: offered, given by policy, reused, ended."""

from collections.abc import Sequence
from typing import Final

from chancery.domain.acme import (
    TRUSTED,
    Account,
    Authorization,
    AuthorizationStatus,
    Identifier,
)
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.audit import AuditEvent
from chancery.domain.door import Door
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.acme.accounts import AccountService
from chancery.services.acme.admission import admit, challenges_for, chosen_profile
from chancery.services.acme.limits import Limits
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.wire.jwk import b64url

_TOKEN: Final = 32  # octets; RFC 8555 §11.3 asks for 128 bits
_REUSE_S: Final = 300
"""A valid authorization is used again if it lasts that much longer at the least."""


class AuthorizationService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        accounts: AccountService,
        limits: Limits,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._accounts = accounts
        self._limits = limits
        self._clock = clock
        self._entropy = entropy

    def show(self, door: Door, account: Account, authorization_id: str) -> Authorization:
        """One of the account's own; NotFound else."""
        with self._store.read() as session:
            found = session.acme.authorization(authorization_id)
        if found is None or found.account != account.id or found.door != door.name:
            raise unknown()
        return found

    def pre_authorize(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        identifier: Identifier,
        origin: str,
    ) -> Authorization:
        """Before any order (RFC 8555 §7.4.1)."""
        if not settings.pre_authorization or identifier.wildcard:
            raise BadRequest(
                "this cannot be authorized before it is ordered",
                field="identifier",
                rule="acme.pre-authorization",
                remedy="place an order",
            )
        credential = self._accounts.credential(account)
        profile = self._catalogue.profile(chosen_profile(door, credential, None)).profile
        admit([identifier], settings, credential, profile)
        self._limits.take(door, "new orders", settings.order_rate, account.id)

        def unit(session: Session) -> Authorization:
            found, made = self.offer(session, door, settings, account, [identifier])
            session.acme.add_authorizations(made)
            session.audit.append(
                [given(door, account, one, origin) for one in made if one.proof], now
            )
            return found[0]

        now = self._clock.ms()
        return self._store.write(unit)

    def offer(
        self,
        session: Session,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        identifiers: Sequence[Identifier],
    ) -> tuple[list[Authorization], list[Authorization]]:
        """One for each identifier, in their order; and those of them that are new."""
        now = self._clock.s()
        valid = session.acme.valid_authorizations(account.id, identifiers, now + _REUSE_S)
        known = {one.identifier: one for one in valid if _still(one, settings)}
        found, made = [], []
        for identifier in identifiers:
            one = known.get(identifier)
            if one is None:
                one = self._new(door, settings, account, identifier, now)
                made.append(one)
            found.append(one)
        return found, made

    def deactivate(
        self, door: Door, account: Account, authorization: Authorization, origin: str
    ) -> Authorization:
        """As its holder wishes (RFC 8555 §7.5.2)."""
        now = self._clock.ms()
        ended = event(
            door.principal(account.who, origin),
            "acme-authorization.deactivated",
            authorization.id,
            identifier=authorization.identifier.text,
        )

        def unit(session: Session) -> None:
            if session.acme.deactivate_authorization(authorization.id):
                session.audit.append([ended], now)

        self._store.write(unit)
        return self.show(door, account, authorization.id)

    def _new(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        identifier: Identifier,
        now: int,
    ) -> Authorization:
        trusted = identifier.fits(settings.trusted)
        lasting = settings.authorization_lifetime_s if trusted else settings.order_lifetime_s
        return Authorization(
            id=new_id(self._clock.ms(), self._entropy(10)),
            door=door.name,
            account=account.id,
            identifier=identifier,
            status=AuthorizationStatus.VALID if trusted else AuthorizationStatus.PENDING,
            expires_at=now + lasting,
            token=b64url(self._entropy(_TOKEN)),
            challenges=challenges_for(identifier, settings),
            created_at=now,
            proof=TRUSTED if trusted else None,
            validated_at=now if trusted else None,
        )


def _still(authorization: Authorization, settings: AcmeSettings) -> bool:
    """What policy gave counts only while policy says so."""
    return authorization.proof != TRUSTED or authorization.identifier.fits(settings.trusted)


def given(door: Door, account: Account, authorization: Authorization, origin: str) -> AuditEvent:
    """That an identifier was authorized, and how."""
    return event(
        door.principal(account.who, origin),
        "acme-authorization.given",
        authorization.id,
        door=door.name,
        account=account.id,
        identifier=authorization.identifier.text,
        proof=authorization.proof,
    )


def unknown() -> NotFound:
    return NotFound(
        "there is no such authorization", field="authorization", rule="acme.authorization.known"
    )
