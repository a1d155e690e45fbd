"""What ACME needs: from the record, and from the networks where names are proved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.acme import (
    Account,
    AccountStatus,
    Authorization,
    AuthorizationStatus,
    ChallengeKind,
    EarlyRenewal,
    Fault,
    Identifier,
    Order,
    OrderStatus,
)
from chancery.domain.acme_settings import AcmeSettings


class AcmeRecords(Protocol):
    """See ``domain.acme``."""

    def add_account(self, account: Account) -> None:
        """AlreadyExists if its door knows the key, or its credential has opened another."""
        ...

    def account(self, account_id: str) -> Account | None: ...
    def account_of_key(self, door: str, thumbprint: str) -> Account | None: ...
    def account_of_credential(self, credential_id: str) -> Account | None: ...
    def accounts(
        self, door: str | None, status: AccountStatus | None, cursor: str | None, limit: int
    ) -> list[Account]:
        """Newest first, after *cursor*."""
        ...

    def update_account(self, account_id: str, contacts: Sequence[str], *, agreed: bool) -> None: ...
    def change_key(self, account_id: str, thumbprint: str, jwk: str, key_sha256: str) -> None:
        """AlreadyExists if the door knows the new key."""
        ...

    def end_account(self, account_id: str, status: AccountStatus) -> bool:
        """End a valid account and whatever of its is pending; False if it was not valid."""
        ...

    def add_order(self, order: Order) -> None:
        """AlreadyExists if another that is not invalid replaces the same certificate."""
        ...

    def order(self, order_id: str) -> Order | None: ...
    def order_of_certificate(self, certificate_id: str) -> Order | None: ...
    def order_replacing(self, certificate: str) -> Order | None:
        """The one that is not invalid and replaces the certificate of that identifier."""
        ...

    def orders(
        self,
        door: str | None,
        account: str | None,
        status: OrderStatus | None,
        cursor: str | None,
        limit: int,
    ) -> list[Order]:
        """Newest first, after *cursor*; their CSRs are left out."""
        ...

    def move_order(
        self,
        order_id: str,
        before: OrderStatus,
        after: OrderStatus,
        *,
        csr: bytes | None = None,
        fault: Fault | None = None,
        certificate_id: str | None = None,
    ) -> bool:
        """Compare and set; what is None stays as it is."""
        ...

    def add_authorizations(self, authorizations: Sequence[Authorization]) -> None: ...
    def authorization(self, authorization_id: str) -> Authorization | None: ...
    def authorizations(self, ids: Sequence[str]) -> list[Authorization]:
        """In the order of *ids*."""
        ...

    def valid_authorizations(
        self, account: str, identifiers: Sequence[Identifier], after: int
    ) -> list[Authorization]:
        """Those that are valid beyond that second."""
        ...

    def try_authorization(
        self, authorization_id: str, kind: ChallengeKind, now: int, stale: int
    ) -> bool:
        """Begin a validation of a pending one; False if one was begun since *stale*."""
        ...

    def settle_authorization(
        self,
        authorization_id: str,
        status: AuthorizationStatus,
        *,
        expires_at: int | None = None,
        fault: Fault | None = None,
        proof: str | None = None,
        validated_at: int | None = None,
    ) -> bool:
        """Decide a pending one; an invalid one takes its pending orders along."""
        ...

    def deactivate_authorization(self, authorization_id: str) -> bool:
        """By its holder, pending or valid; its pending orders become invalid."""
        ...

    def use_nonce(self, nonce: str, expires_at: int) -> bool:
        """False if it was used before."""
        ...

    def forget(self, now: int, stale: int) -> None:
        """Drop used nonces that expired by *now*, and what came to nothing before *stale*."""
        ...

    def add_early(self, early: EarlyRenewal) -> None: ...
    def earlies(self) -> list[EarlyRenewal]:
        """Newest first."""
        ...

    def drop_early(self, early_id: str) -> None:
        """NotFound unless it is there."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One validation: does whoever holds *thumbprint*'s key control *identifier*?"""

    kind: ChallengeKind
    identifier: Identifier
    token: str
    thumbprint: str

    @property
    def key_authorization(self) -> str:
        return f"{self.token}.{self.thumbprint}"


class Validator(Protocol):
    """Looks at names from here, or from elsewhere.  Safe for concurrent use."""

    def check(self, question: Question, settings: AcmeSettings) -> Fault | None:
        """Why it is not proved; None: it is.  Takes a few time-outs at the most."""
        ...


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One CAA resource record (RFC 8659 §4.1); *tag* in lower case."""

    critical: bool
    tag: str
    value: str


class CaaLookup(Protocol):
    """Asks the domain name system."""

    def caa(self, name: str, settings: AcmeSettings) -> Sequence[CaaRecord]:
        """The records of that very name, aliases followed; Unavailable if nobody says."""
        ...
