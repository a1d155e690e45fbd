"""ACME (RFC 8555) as a CA handles it: accounts, orders, authorizations, and their states."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.errors import BadName, BadRequest, CAError
from chancery.domain.names import GeneralName, NameKind


class AccountStatus(StrEnum):
    VALID = "valid"
    DEACTIVATED = "deactivated"  # by its holder
    REVOKED = "revoked"  # by us


class OrderStatus(StrEnum):
    """RFC 8555 §7.1.6.  READY is never stored: it follows from the authorizations."""

    PENDING = "pending"
    READY = "ready"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class AuthorizationStatus(StrEnum):
    """RFC 8555 §7.1.6.  EXPIRED is a matter of time, and not stored."""

    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"
    REVOKED = "revoked"
    EXPIRED = "expired"


class ChallengeKind(StrEnum):
    HTTP_01 = "http-01"  # RFC 8555 §8.3
    DNS_01 = "dns-01"  # RFC 8555 §8.4
    TLS_ALPN_01 = "tls-alpn-01"  # RFC 8737


TRUSTED: Final = "trusted"
"""How an authorization became valid that policy gave without a challenge."""


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """What a certificate is to name; a wildcard carries ``*.`` in front.

    *kind* is DNS or IP, *value* canonical (``domain.name_syntax``).
    """

    kind: NameKind
    value: str

    @property
    def wildcard(self) -> bool:
        return self.value.startswith("*.")

    @property
    def base(self) -> str:
        """Without the ``*.``: what is validated (RFC 8555 §7.1.3)."""
        return self.value.removeprefix("*.")

    @property
    def name(self) -> GeneralName:
        return GeneralName(self.kind, self.value)

    @property
    def text(self) -> str:
        return f"{self.kind.value}:{self.value}"

    def fits(self, patterns: Sequence[str]) -> bool:
        """Whether one of *patterns* covers it: a name, a ``.suffix``, an address or network."""
        return any(self._fits(pattern) for pattern in patterns)

    def _fits(self, pattern: str) -> bool:
        if self.kind is NameKind.IP:
            try:
                return ipaddress.ip_address(self.value) in ipaddress.ip_network(pattern)
            except ValueError:
                return False
        lower = pattern.lower()
        return self.value == lower or (lower.startswith(".") and self.value.endswith(lower))


def identifier(kind: str, value: str) -> Identifier:
    """Read one as a client wrote it; BadRequest for a kind we do not know, BadName for its text."""
    if kind not in ("dns", "ip"):
        raise BadRequest(
            f"identifiers of type {kind[:40]!r} are not issued for",
            field="identifiers",
            rule="acme.identifier.kind",
            remedy="use dns or ip",
        )
    name = name_syntax.canonical(GeneralName(NameKind(kind), value))
    if kind == "ip" and value != name.value:  # RFC 8738 §3: IPv6 as RFC 5952 writes it
        raise BadName(
            f"{value[:100]!r} is not the canonical text of an address",
            field="identifiers",
            rule="name.ip-syntax",
            remedy=f"write {name.value}",
        )
    if kind == "dns" and value.endswith("."):
        raise BadName(
            f"{value[:100]!r} ends in a dot",
            field="identifiers",
            rule="name.dns-syntax",
            remedy=f"write {name.value}",
        )
    return Identifier(name.kind, name.value)


class Several(BadRequest):
    """More than one identifier of an order was refused; *parts* says which, and why."""

    def __init__(self, parts: Sequence[tuple[Identifier | None, CAError]]) -> None:
        first = parts[0][1]
        many = f"; and {len(parts) - 1} more" if len(parts) > 1 else ""
        super().__init__(f"{first}{many}", field="identifiers", rule="acme.several")
        self.parts: Final = tuple(parts)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a validation failed, or an order: *kind* in the words of RFC 8555 §6.7."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Account:
    """One account.  *jwk* is canonical JSON, *thumbprint* as RFC 7638 has it in base64url.

    *key_sha256* is lower-case hex of the SubjectPublicKeyInfo.  *credential_id*
    is the external account key it was opened with.
    """

    id: str
    door: str
    status: AccountStatus
    thumbprint: str
    jwk: str
    key_sha256: str
    contacts: tuple[str, ...]
    credential_id: str | None
    reference: str  # the key identifier of that credential, "" without one
    agreed: bool
    created_at: int
    origin: str

    @property
    def who(self) -> str:
        """How records call it."""
        return f"{self.reference}/{self.id}" if self.reference else self.id


@dataclass(frozen=True, slots=True)
class Authorization:
    """Leave for one account to have one identifier certified.

    *token* serves all its challenges.  *tried* is the challenge that the
    client chose, *tried_at* when a validation of it last began; *fault* why
    it failed.  *proof* is how it became valid: a challenge's name, or TRUSTED.
    """

    id: str
    door: str
    account: str
    identifier: Identifier
    status: AuthorizationStatus
    expires_at: int
    token: str
    challenges: tuple[ChallengeKind, ...]
    created_at: int
    tried: ChallengeKind | None = None
    tried_at: int | None = None
    fault: Fault | None = None
    proof: str | None = None
    validated_at: int | None = None

    def standing(self, now: int) -> AuthorizationStatus:
        """Its status at that moment."""
        alive = (AuthorizationStatus.PENDING, AuthorizationStatus.VALID)
        if self.status in alive and self.expires_at <= now:
            return AuthorizationStatus.EXPIRED
        return self.status


@dataclass(frozen=True, slots=True)
class Order:
    """One order.  *csr* is kept from finalization on, so that any node can carry on.

    *replaces* is the identifier (RFC 9773 §4.1) of the certificate that this
    order's is to follow.
    """

    id: str
    door: str
    account: str
    identifiers: tuple[Identifier, ...]
    profile: str | None
    status: OrderStatus
    expires_at: int
    created_at: int
    authorizations: tuple[str, ...] = ()
    replaces: str | None = None
    csr: bytes | None = None
    fault: Fault | None = None
    certificate_id: str | None = None

    def standing(self, authorizations: Sequence[Authorization], now: int) -> OrderStatus:
        """Its status at that moment, with what became of its authorizations."""
        if self.status is not OrderStatus.PENDING:
            return self.status
        found = {one.standing(now) for one in authorizations}
        if self.expires_at <= now or found - {
            AuthorizationStatus.PENDING,
            AuthorizationStatus.VALID,
        }:
            return OrderStatus.INVALID
        return OrderStatus.READY if found == {AuthorizationStatus.VALID} else OrderStatus.PENDING


@dataclass(frozen=True, slots=True)
class EarlyRenewal:
    """Certificates that are to be renewed before their time: all that fit every condition.

    None and "" leave a condition out.  Clients pick a moment from *start_at* to
    *end_at*, Unix seconds; *explanation* is a URL for their people.
    """

    id: str
    authority: str | None
    profile: str | None
    serial: str | None
    issued_before: int | None
    start_at: int
    end_at: int
    explanation: str
    created_by: str
    created_at: int
    note: str = ""

    def fits(self, authority: str, profile: str, serial: str, issued_at: int) -> bool:
        return (
            self.authority in (None, authority)
            and self.profile in (None, profile)
            and self.serial in (None, serial)
            and (self.issued_before is None or issued_at < self.issued_before)
        )
