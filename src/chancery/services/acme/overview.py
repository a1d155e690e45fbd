"""Accounts and orders, for the people who look after a door."""

from chancery.domain.acme import Account, AccountStatus, Authorization, Order, OrderStatus
from chancery.domain.errors import NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event

_PAGE = 50


class AcmeOverview:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def accounts(
        self,
        principal: Principal,
        door: str | None = None,
        status: AccountStatus | None = None,
        cursor: str | None = None,
        limit: int = _PAGE,
    ) -> list[Account]:
        """Newest first, after *cursor*."""
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            return session.acme.accounts(door, status, cursor, limit)

    def account(self, principal: Principal, account_id: str) -> Account:
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            return _account(session, account_id)

    def orders(
        self,
        principal: Principal,
        door: str | None = None,
        account: str | None = None,
        status: OrderStatus | None = None,
        cursor: str | None = None,
        limit: int = _PAGE,
    ) -> list[Order]:
        """Newest first, after *cursor*."""
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            return session.acme.orders(door, account, status, cursor, limit)

    def order(self, principal: Principal, order_id: str) -> tuple[Order, list[Authorization]]:
        """One, with its authorizations."""
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            found = session.acme.order(order_id)
            if found is None:
                raise NotFound(
                    "there is no such order",
                    field="id",
                    rule="acme.order.known",
                    remedy="`chancery acme order list` shows those there are",
                )
            return found, session.acme.authorizations(found.authorizations)

    def end_account(self, principal: Principal, account_id: str) -> Account:
        """Revoke an account: it orders nothing more, what was issued stays valid."""
        demand(principal, Permission.CREDENTIAL_ISSUE)
        now = self._clock.ms()

        def unit(session: Session) -> Account:
            found = _account(session, account_id)
            if not session.acme.end_account(account_id, AccountStatus.REVOKED):
                raise WrongState(
                    f"the account is {found.status.value} already",
                    field="id",
                    rule="acme.account.valid",
                )
            ended = event(principal, "acme-account.revoked", account_id, door=found.door)
            session.audit.append([ended], now)
            return _account(session, account_id)

        return self._store.write(unit)


def _account(session: Session, account_id: str) -> Account:
    found = session.acme.account(account_id)
    if found is None:
        raise NotFound(
            "there is no such account",
            field="id",
            rule="acme.account.listed",
            remedy="`chancery acme account list` shows those there are",
        )
    return found
