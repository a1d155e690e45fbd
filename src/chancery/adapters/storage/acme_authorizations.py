"""ACME authorizations, nonces that were used, early renewals."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update

from chancery.adapters.storage import documents, schema_acme
from chancery.adapters.storage.link import Link, Record
from chancery.domain.acme import (
    Authorization,
    AuthorizationStatus,
    ChallengeKind,
    EarlyRenewal,
    Fault,
    Identifier,
    OrderStatus,
)
from chancery.domain.errors import NotFound
from chancery.domain.names import NameKind

_O: Final = schema_acme.acme_order
_Z: Final = schema_acme.acme_authorization
_L: Final = schema_acme.acme_order_authorization
_N: Final = schema_acme.acme_nonce
_E: Final = schema_acme.acme_early
ALIVE: Final = (AuthorizationStatus.PENDING.value, AuthorizationStatus.VALID.value)
_USED: Final = (
    "INSERT INTO acme_nonce (nonce, expires_at) VALUES (?, ?) ON CONFLICT (nonce) DO NOTHING"
)
_BATCH: Final = 500
"""Rows that one pass of ``forget`` drops of each kind."""


class SqlAuthorizations:
    """The half of ``ports_acme.AcmeRecords`` that is not accounts and orders."""

    def __init__(self, link: Link) -> None:
        self._link = link

    # Authorizations

    def add_authorizations(self, authorizations: Sequence[Authorization]) -> None:
        rows = [
            {
                **{column.name: getattr(one, column.name) for column in _Z.columns},
                "identifier": one.identifier.text,
                "status": one.status.value,
                "challenges": documents.encode(one.challenges),
                "fault": fault_text(one.fault),
            }
            for one in authorizations
        ]
        if rows:
            self._link.run(insert(_Z), rows)

    def authorization(self, authorization_id: str) -> Authorization | None:
        row = self._link.first(select(_Z).where(_Z.c.id == authorization_id))
        return _authorization(row) if row is not None else None

    def authorizations(self, ids: Sequence[str]) -> list[Authorization]:
        rows = self._link.rows(select(_Z).where(_Z.c.id.in_(ids)))
        found = {row.id: _authorization(row) for row in rows}
        return [found[one] for one in ids]

    def valid_authorizations(
        self, account: str, identifiers: Sequence[Identifier], after: int
    ) -> list[Authorization]:
        statement = select(_Z).where(
            _Z.c.account == account,
            _Z.c.identifier.in_([one.text for one in identifiers]),
            _Z.c.status == AuthorizationStatus.VALID.value,
            _Z.c.expires_at > after,
        )
        return [_authorization(row) for row in self._link.rows(statement)]

    def try_authorization(
        self, authorization_id: str, kind: ChallengeKind, now: int, stale: int
    ) -> bool:
        where = (
            (_Z.c.id == authorization_id)
            & (_Z.c.status == AuthorizationStatus.PENDING.value)
            & or_(_Z.c.tried_at.is_(None), _Z.c.tried_at < stale)
        )
        statement = update(_Z).where(where).values(tried=kind.value, tried_at=now)
        return self._link.run(statement).rowcount == 1

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
        values: dict[str, Any] = {"status": status.value, "fault": fault_text(fault)}
        values |= {"proof": proof, "validated_at": validated_at}
        if expires_at is not None:
            values["expires_at"] = expires_at
        pending = _Z.c.status == AuthorizationStatus.PENDING.value
        statement = update(_Z).where(_Z.c.id == authorization_id, pending).values(values)
        if not self._link.run(statement).rowcount:
            return False
        if status is not AuthorizationStatus.VALID:
            self._fail_orders(authorization_id)
        return True

    def deactivate_authorization(self, authorization_id: str) -> bool:
        statement = (
            update(_Z)
            .where(_Z.c.id == authorization_id, _Z.c.status.in_(ALIVE))
            .values(status=AuthorizationStatus.DEACTIVATED.value)
        )
        if not self._link.run(statement).rowcount:
            return False
        self._fail_orders(authorization_id)
        return True

    def _fail_orders(self, authorization_id: str) -> None:
        orders = select(_L.c.order_id).where(_L.c.authorization_id == authorization_id)
        pending = _O.c.status == OrderStatus.PENDING.value
        statement = update(_O).where(_O.c.id.in_(orders), pending)
        self._link.run(statement.values(status=OrderStatus.INVALID.value))

    # Nonces

    def use_nonce(self, nonce: str, expires_at: int) -> bool:
        return self._link.driver(_USED, (nonce, expires_at)).rowcount == 1

    def forget(self, now: int, stale: int) -> None:
        self._link.run(delete(_N).where(_N.c.expires_at <= now))
        fruitless = (OrderStatus.PENDING.value, OrderStatus.INVALID.value)
        old = (_O.c.expires_at <= stale) & _O.c.status.in_(fruitless)
        orders = select(_O.c.id).where(old).limit(_BATCH)
        self._link.run(delete(_O).where(_O.c.id.in_(orders)))
        used = select(_L.c.order_id).where(_L.c.authorization_id == _Z.c.id).exists()
        left = select(_Z.c.id).where(_Z.c.expires_at <= stale, ~used).limit(_BATCH)
        self._link.run(delete(_Z).where(_Z.c.id.in_(left)))

    # Early renewals

    def add_early(self, early: EarlyRenewal) -> None:
        values = {column.name: getattr(early, column.name) for column in _E.columns}
        self._link.run(insert(_E), values)

    def earlies(self) -> list[EarlyRenewal]:
        rows = self._link.rows(select(_E).order_by(_E.c.id.desc()))
        return [EarlyRenewal(**row._asdict()) for row in rows]

    def drop_early(self, early_id: str) -> None:
        if not self._link.run(delete(_E).where(_E.c.id == early_id)).rowcount:
            raise NotFound(
                "there is no such early renewal",
                field="id",
                rule="acme.early.known",
                remedy="`chancery acme renewals` shows those there are",
            )


def fault_text(fault: Fault | None) -> str | None:
    return documents.encode(fault) if fault is not None else None


def fault(text: str | None) -> Fault | None:
    return documents.decode(Fault, text) if text is not None else None


def identifier(text: str) -> Identifier:
    kind, _, value = text.partition(":")
    return Identifier(NameKind(kind), value)


def _authorization(row: Record) -> Authorization:
    return Authorization(
        **row._asdict()
        | {
            "identifier": identifier(row.identifier),
            "status": AuthorizationStatus(row.status),
            "challenges": documents.decode(tuple[ChallengeKind, ...], row.challenges),
            "tried": ChallengeKind(row.tried) if row.tried is not None else None,
            "fault": fault(row.fault),
        }
    )
