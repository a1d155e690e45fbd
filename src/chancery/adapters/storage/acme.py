"""ACME accounts and orders."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import insert, select, update

from chancery.adapters.storage import documents, schema_acme
from chancery.adapters.storage.acme_authorizations import (
    ALIVE,
    SqlAuthorizations,
    fault,
    fault_text,
    identifier,
)
from chancery.adapters.storage.link import Record
from chancery.domain.acme import (
    Account,
    AccountStatus,
    AuthorizationStatus,
    Fault,
    Order,
    OrderStatus,
)
from chancery.domain.errors import AlreadyExists

_A: Final = schema_acme.acme_account
_O: Final = schema_acme.acme_order
_Z: Final = schema_acme.acme_authorization
_L: Final = schema_acme.acme_order_authorization
_ORDER_COLUMNS: Final = [column for column in _O.columns if column.name != "csr"]


class SqlAcme(SqlAuthorizations):
    """Implements ``ports_acme.AcmeRecords``."""

    # Accounts

    def add_account(self, account: Account) -> None:
        values = {column.name: getattr(account, column.name) for column in _A.columns}
        values |= {"status": account.status.value, "contacts": documents.encode(account.contacts)}
        self._link.run(insert(_A), values)

    def account(self, account_id: str) -> Account | None:
        return self._account(_A.c.id == account_id)

    def account_of_key(self, door: str, thumbprint: str) -> Account | None:
        return self._account((_A.c.door == door) & (_A.c.thumbprint == thumbprint))

    def account_of_credential(self, credential_id: str) -> Account | None:
        return self._account(_A.c.credential_id == credential_id)

    def _account(self, where: Any) -> Account | None:
        row = self._link.first(select(_A).where(where))
        return _account(row) if row is not None else None

    def accounts(
        self, door: str | None, status: AccountStatus | None, cursor: str | None, limit: int
    ) -> list[Account]:
        statement = select(_A).order_by(_A.c.id.desc()).limit(limit)
        if door is not None:
            statement = statement.where(_A.c.door == door)
        if status is not None:
            statement = statement.where(_A.c.status == status.value)
        if cursor is not None:
            statement = statement.where(_A.c.id < cursor)
        return [_account(row) for row in self._link.rows(statement)]

    def update_account(self, account_id: str, contacts: Sequence[str], *, agreed: bool) -> None:
        values = {"contacts": documents.encode(tuple(contacts)), "agreed": agreed}
        self._link.run(update(_A).where(_A.c.id == account_id).values(values))

    def change_key(self, account_id: str, thumbprint: str, jwk: str, key_sha256: str) -> None:
        values = {"thumbprint": thumbprint, "jwk": jwk, "key_sha256": key_sha256}
        self._link.run(update(_A).where(_A.c.id == account_id).values(values))

    def end_account(self, account_id: str, status: AccountStatus) -> bool:
        mine = (_A.c.id == account_id) & (_A.c.status == AccountStatus.VALID.value)
        if not self._link.run(update(_A).where(mine).values(status=status.value)).rowcount:
            return False
        ended = AuthorizationStatus.DEACTIVATED
        if status is AccountStatus.REVOKED:
            ended = AuthorizationStatus.REVOKED
        alive = _Z.c.status.in_(ALIVE) & (_Z.c.account == account_id)
        self._link.run(update(_Z).where(alive).values(status=ended.value))
        pending = (_O.c.account == account_id) & (_O.c.status == OrderStatus.PENDING.value)
        self._link.run(update(_O).where(pending).values(status=OrderStatus.INVALID.value))
        return True

    # Orders

    def add_order(self, order: Order) -> None:
        if order.replaces is not None:
            self._lapse(order.replaces, order.created_at)
            if self.order_replacing(order.replaces) is not None:
                raise AlreadyExists(
                    "another order replaces this certificate",
                    field="replaces",
                    rule="acme.replaces.once",
                )
        values = {
            **{column.name: getattr(order, column.name) for column in _O.columns},
            "identifiers": documents.encode([one.text for one in order.identifiers]),
            "status": order.status.value,
            "fault": fault_text(order.fault),
        }
        self._link.run(insert(_O), values)
        rows = [
            {"order_id": order.id, "position": at, "authorization_id": authorization}
            for at, authorization in enumerate(order.authorizations)
        ]
        if rows:
            self._link.run(insert(_L), rows)

    def _lapse(self, certificate: str, now: int) -> None:
        """An order whose time is over stands in the way of nobody."""
        late = (
            (_O.c.replaces == certificate)
            & (_O.c.status == OrderStatus.PENDING.value)
            & (_O.c.expires_at <= now)
        )
        self._link.run(update(_O).where(late).values(status=OrderStatus.INVALID.value))

    def order(self, order_id: str) -> Order | None:
        row = self._link.first(select(_O).where(_O.c.id == order_id))
        return self._with_links([row])[0] if row is not None else None

    def order_of_certificate(self, certificate_id: str) -> Order | None:
        where = _O.c.certificate_id == certificate_id
        row = self._link.first(select(_O).where(where).limit(1))
        return self._with_links([row])[0] if row is not None else None

    def order_replacing(self, certificate: str) -> Order | None:
        standing = _O.c.status != OrderStatus.INVALID.value
        row = self._link.first(select(_O).where(_O.c.replaces == certificate, standing))
        return self._with_links([row])[0] if row is not None else None

    def orders(
        self,
        door: str | None,
        account: str | None,
        status: OrderStatus | None,
        cursor: str | None,
        limit: int,
    ) -> list[Order]:
        statement = select(*_ORDER_COLUMNS).order_by(_O.c.id.desc()).limit(limit)
        if door is not None:
            statement = statement.where(_O.c.door == door)
        if account is not None:
            statement = statement.where(_O.c.account == account)
        if status is not None:
            statement = statement.where(_O.c.status == status.value)
        if cursor is not None:
            statement = statement.where(_O.c.id < cursor)
        return self._with_links(self._link.rows(statement))

    def _with_links(self, rows: Sequence[Record]) -> list[Order]:
        ids = [row.id for row in rows]
        statement = select(_L).where(_L.c.order_id.in_(ids)).order_by(_L.c.position)
        links: dict[str, list[str]] = {one: [] for one in ids}
        for link in self._link.rows(statement):
            links[link.order_id].append(link.authorization_id)
        return [_order(row, tuple(links[row.id])) for row in rows]

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
        given = {"csr": csr, "fault": fault_text(fault), "certificate_id": certificate_id}
        values: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
        where = (_O.c.id == order_id) & (_O.c.status == before.value)
        statement = update(_O).where(where).values(values | {"status": after.value})
        return self._link.run(statement).rowcount == 1


def _account(row: Record) -> Account:
    fields = row._asdict()
    contacts = documents.decode(tuple[str, ...], row.contacts)
    return Account(**fields | {"status": AccountStatus(row.status), "contacts": contacts})


def _order(row: Record, authorizations: tuple[str, ...]) -> Order:
    fields = row._asdict()
    identifiers = documents.decode(list[str], row.identifiers)
    return Order(
        **fields
        | {
            "identifiers": tuple(map(identifier, identifiers)),
            "status": OrderStatus(row.status),
            "fault": fault(row.fault),
            "authorizations": authorizations,
        }
    )
