"""ACME accounts, orders, and certificates that are to be renewed early."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Out, PageOut
from chancery.api.paging import decode, paged
from chancery.api.routing import Door, Who
from chancery.domain.acme import (
    Account,
    AccountStatus,
    Authorization,
    EarlyRenewal,
    Order,
    OrderStatus,
)
from chancery.domain.identity import Permission
from chancery.services.acme.renewal import NewEarlyRenewal

accounts = Door("/acme/accounts", "doors")
orders = Door("/acme/orders", "doors")
renewals = Door("/acme/early-renewals", "doors")

DoorName = Annotated[str | None, Query(alias="door", max_length=80, description="acme/main")]


class AccountOut(Out):
    """An account; *reference* is the key identifier of the external account key behind it."""

    id: str
    door: str
    status: AccountStatus
    contacts: list[str]
    reference: str
    credential_id: str | None
    key_sha256: str
    agreed: bool
    created_at: int
    origin: str


class AuthorizationOut(Out):
    id: str
    identifier: str
    status: str
    expires_at: int
    proof: str | None = Field(description="The challenge, or trusted: given by policy.")
    validated_at: int | None
    fault: str | None


class OrderOut(Out):
    id: str
    door: str
    account: str
    identifiers: list[str]
    profile: str | None
    status: OrderStatus
    expires_at: int
    created_at: int
    replaces: str | None
    certificate_id: str | None
    fault: str | None


class OrderFullOut(OrderOut):
    authorizations: list[AuthorizationOut]


class EarlyIn(In):
    """Which certificates: all that fit every condition; at least one is given."""

    authority: str | None = Field(default=None, max_length=63)
    profile: str | None = Field(default=None, max_length=63)
    serial: str | None = Field(default=None, max_length=64, pattern="^[0-9A-Fa-f]+$")
    issued_before: int | None = Field(default=None, ge=0, description="Unix seconds.")
    start: int | None = Field(default=None, ge=0, description="Unix seconds; null: now.")
    lasting_s: int = Field(default=86_400, description="Length of the window.")
    explanation: str = Field(default="", max_length=500, description="A URL for people.")
    note: str = Field(default="", max_length=1000)


class EarlyOut(Out):
    id: str
    authority: str | None
    profile: str | None
    serial: str | None
    issued_before: int | None
    start_at: int
    end_at: int
    explanation: str
    note: str
    created_by: str
    created_at: int


def _account(one: Account) -> AccountOut:
    values = {name: getattr(one, name) for name in AccountOut.model_fields}
    return AccountOut(**values | {"contacts": list(one.contacts)})


def _order(one: Order) -> OrderOut:
    values = {name: getattr(one, name) for name in OrderOut.model_fields}
    return OrderOut(
        **values
        | {
            "identifiers": [name.text for name in one.identifiers],
            "fault": one.fault.detail if one.fault is not None else None,
        }
    )


def _authorization(one: Authorization) -> AuthorizationOut:
    return AuthorizationOut(
        id=one.id,
        identifier=one.identifier.text,
        status=one.status.value,
        expires_at=one.expires_at,
        proof=one.proof,
        validated_at=one.validated_at,
        fault=one.fault.detail if one.fault is not None else None,
    )


def _early(one: EarlyRenewal) -> EarlyOut:
    return EarlyOut(**{name: getattr(one, name) for name in EarlyOut.model_fields})


@accounts.route("GET", "", Permission.CREDENTIAL_READ)
def list_acme_accounts(
    who: Who,
    using: Using,
    door: DoorName = None,
    status: AccountStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageOut[AccountOut]:
    """List ACME accounts, newest first."""
    found = using.acme.overview.accounts(who, door, status, decode(cursor), limit + 1)
    return paged(found, limit, lambda one: one.id, _account)


@accounts.route("GET", "/{account}", Permission.CREDENTIAL_READ)
def show_acme_account(who: Who, using: Using, account: str) -> AccountOut:
    """Show an ACME account."""
    return _account(using.acme.overview.account(who, account))


@accounts.route("POST", "/{account}/deactivate", Permission.CREDENTIAL_ISSUE)
def deactivate_acme_account(who: Who, using: Using, account: str) -> AccountOut:
    """End an account: it orders nothing more, what was issued stays valid."""
    return _account(using.acme.overview.end_account(who, account))


@orders.route("GET", "", Permission.CREDENTIAL_READ)
def list_acme_orders(
    who: Who,
    using: Using,
    door: DoorName = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    status: OrderStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageOut[OrderOut]:
    """List ACME orders, newest first."""
    found = using.acme.overview.orders(who, door, account, status, decode(cursor), limit + 1)
    return paged(found, limit, lambda one: one.id, _order)


@orders.route("GET", "/{order}", Permission.CREDENTIAL_READ)
def show_acme_order(who: Who, using: Using, order: str) -> OrderFullOut:
    """Show an ACME order and how each identifier was proved."""
    found, authorizations = using.acme.overview.order(who, order)
    return OrderFullOut(
        **_order(found).model_dump(), authorizations=[_authorization(one) for one in authorizations]
    )


@renewals.route("GET", "", Permission.RA_READ)
def list_early_renewals(who: Who, using: Using) -> list[EarlyOut]:
    """List what is to be renewed early; the first that fits a certificate counts."""
    return [_early(one) for one in using.acme.renewal.early(who)]


@renewals.route("POST", "", Permission.RA_MANAGE, status=201)
def renew_early(who: Who, using: Using, given: EarlyIn) -> EarlyOut:
    """Have clients renew certificates before their time (RFC 9773)."""
    return _early(using.acme.renewal.renew_early(who, NewEarlyRenewal(**given.model_dump())))


@renewals.route("DELETE", "/{early}", Permission.RA_MANAGE, status=204)
def drop_early_renewal(who: Who, using: Using, early: str) -> None:
    """Let certificates be renewed at their usual time again."""
    using.acme.renewal.drop(who, early)
