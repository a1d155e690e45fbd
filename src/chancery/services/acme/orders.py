"""Orders: placed, finalized once, followed until there is a certificate."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.acme import (
    TRUSTED,
    Account,
    Authorization,
    Fault,
    Identifier,
    Order,
    OrderStatus,
)
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.certificate import CertificateRecord
from chancery.domain.door import Door
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    CAError,
    NotFound,
    WrongState,
)
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_acme import CaaLookup
from chancery.services.acme import caa, requests
from chancery.services.acme.accounts import AccountService
from chancery.services.acme.admission import admit, chosen_profile
from chancery.services.acme.authorizations import AuthorizationService, given
from chancery.services.acme.chains import chains
from chancery.services.acme.limits import Limits
from chancery.services.acme.renewal import RenewalService
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment import Enrolment, EnrolmentDesk, Standing

_CAA_S: Final = 8 * 3_600
"""How long a look at CAA records counts (Baseline Requirements §3.2.2.8)."""
PAGE: Final = 100
"""Orders that a client is shown at a time."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a client asks for; *replaces* names a certificate as RFC 9773 §4.1 does."""

    identifiers: tuple[Identifier, ...]
    profile: str | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with what became of it."""

    order: Order
    status: OrderStatus
    authorizations: tuple[Authorization, ...]


class OrderService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        desk: EnrolmentDesk,
        accounts: AccountService,
        authorizations: AuthorizationService,
        renewal: RenewalService,
        lookup: CaaLookup,
        limits: Limits,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._desk = desk
        self._accounts = accounts
        self._authorizations = authorizations
        self._renewal = renewal
        self._lookup = lookup
        self._limits = limits
        self._clock = clock
        self._entropy = entropy

    def place(
        self, door: Door, settings: AcmeSettings, account: Account, new: NewOrder, origin: str
    ) -> OrderView:
        """Take an order in, with an authorization for each identifier."""
        credential = self._accounts.credential(account)
        identifiers = tuple(dict.fromkeys(new.identifiers))
        profile = chosen_profile(door, credential, new.profile)
        admit(identifiers, settings, credential, self._catalogue.profile(profile).profile)
        if new.replaces is not None:
            self._renewal.check_replaced(door, account, new.replaces, identifiers)
        self._limits.take(door, "new orders", settings.order_rate, account.id)
        now = self._clock.ms()

        def unit(session: Session) -> OrderView:
            found, made = self._authorizations.offer(session, door, settings, account, identifiers)
            order = Order(
                id=new_id(now, self._entropy(10)),
                door=door.name,
                account=account.id,
                identifiers=identifiers,
                profile=profile,
                status=OrderStatus.PENDING,
                expires_at=now // 1000 + settings.order_lifetime_s,
                created_at=now // 1000,
                authorizations=tuple(one.id for one in found),
                replaces=new.replaces,
            )
            session.acme.add_authorizations(made)
            session.acme.add_order(order)
            placed = event(
                door.principal(account.who, origin),
                "acme-order.placed",
                order.id,
                door=door.name,
                account=account.id,
                identifiers=[one.text for one in identifiers],
                profile=profile,
                replaces=new.replaces,
            )
            trusted = [given(door, account, one, origin) for one in made if one.proof]
            session.audit.append([placed, *trusted], now)
            return OrderView(order, order.standing(found, now // 1000), tuple(found))

        try:
            return self._store.write(unit)
        except AlreadyExists as error:
            if new.replaces is None:
                raise
            raise _replaced() from error

    def show(self, door: Door, account: Account, order_id: str, origin: str) -> OrderView:
        """One of the account's own, as it stands; NotFound else."""
        view = self._view(door, account, order_id)
        if view.status is OrderStatus.PROCESSING:
            self._follow(door, account, view.order, origin)
            view = self._view(door, account, order_id)
        return view

    def of(self, account: Account, cursor: str | None) -> list[Order]:
        """The account's orders, newest first, a page of them."""
        with self._store.read() as session:
            return session.acme.orders(None, account.id, None, cursor, PAGE)

    def certificate(
        self, door: Door, account: Account, certificate_id: str
    ) -> tuple[CertificateRecord, list[tuple[bytes, ...]]]:
        """The certificate of one of the account's own orders, with its chains; NotFound else."""
        with self._store.read() as session:
            order = session.acme.order_of_certificate(certificate_id)
            record = session.certificates.get(certificate_id)
            own = order is not None and (order.account, order.door) == (account.id, door.name)
            if record is None or not own:
                raise NotFound("no such certificate", field="certificate", rule="certificate.known")
            return record, chains(session, record, self._clock.s())

    def finalize(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        order_id: str,
        csr: bytes,
        origin: str,
        account_url: str,
    ) -> OrderView:
        """Have the certificate made, once; a refused request leaves the order ready."""
        view = self._view(door, account, order_id)
        if view.status is not OrderStatus.READY:
            raise _not_ready(view.status)
        der = requests.read(csr, account, view.order.identifiers).der
        self._check_caa(door, settings, view, account_url)
        self._accounts.credential(account)
        now = self._clock.s()

        def unit(session: Session) -> None:
            order = session.acme.order(order_id)
            assert order is not None  # nothing deletes it at this age
            found = session.acme.authorizations(order.authorizations)
            status = order.standing(found, now)
            moved = status is OrderStatus.READY and session.acme.move_order(
                order_id, OrderStatus.PENDING, OrderStatus.PROCESSING, csr=der
            )
            if not moved:
                raise _not_ready(status)

        self._store.write(unit)
        self._submit(door, account, view.order, der, origin)
        return self._view(door, account, order_id)

    def _view(self, door: Door, account: Account, order_id: str) -> OrderView:
        with self._store.read() as session:
            order = session.acme.order(order_id)
            if order is None or order.account != account.id or order.door != door.name:
                raise NotFound("there is no such order", field="order", rule="acme.order.known")
            found = session.acme.authorizations(order.authorizations)
        return OrderView(order, order.standing(found, self._clock.s()), tuple(found))

    def _submit(self, door: Door, account: Account, order: Order, csr: bytes, origin: str) -> None:
        """Hand it to the desk, which knows the order's id as its transaction."""
        asked = Enrolment(
            who=account.who,
            origin=origin,
            transaction=order.id,
            csr=csr,
            profile=order.profile,
            credential=self._accounts.credential(account),
            data={"account": account.id},
        )
        try:
            standing = self._desk.submit(door, asked)
        except CAError as error:
            back = OrderStatus.PENDING
            self._store.write(lambda s: s.acme.move_order(order.id, OrderStatus.PROCESSING, back))
            if isinstance(error, BadRequest):
                raise requests.as_csr(error) from error
            raise
        self._conclude(order, standing)

    def _follow(self, door: Door, account: Account, order: Order, origin: str) -> None:
        """See what became of one that waits; one that no desk knows died on its way there."""
        try:
            standing = self._desk.standing(door, order.id)
        except NotFound:
            if order.csr is None:
                raise
            self._submit(door, account, order, order.csr, origin)
            return
        self._conclude(order, standing)

    def _conclude(self, order: Order, standing: Standing) -> None:
        if standing.pending:
            return
        if standing.certificate is not None:
            certificate_id = standing.certificate.id
            self._store.write(
                lambda s: s.acme.move_order(
                    order.id,
                    OrderStatus.PROCESSING,
                    OrderStatus.VALID,
                    certificate_id=certificate_id,
                )
            )
            return
        request = standing.request
        why = request.decision_reason or request.failure or ""
        detail = f"the request is {request.state.value}" + (f": {why}" if why else "")
        fault = Fault("unauthorized", detail[:400])
        self._store.write(
            lambda s: s.acme.move_order(
                order.id, OrderStatus.PROCESSING, OrderStatus.INVALID, fault=fault
            )
        )

    def _check_caa(
        self, door: Door, settings: AcmeSettings, view: OrderView, account_url: str
    ) -> None:
        """Look again where the last look is too old, or there was none."""
        profile = view.order.profile or door.profile
        if not settings.caa and profile not in settings.caa_profiles:
            return
        for one in view.authorizations:
            recent = (one.validated_at or 0) > self._clock.s() - _CAA_S
            if settings.caa and recent and one.proof != TRUSTED:
                continue
            method = one.proof or ""
            fault = caa.check(self._lookup, one.identifier, settings, account_url, method)
            if fault is not None:
                raise WrongState(fault.detail, field="identifiers", rule="acme.caa")


def _not_ready(status: OrderStatus) -> WrongState:
    return WrongState(
        f"the order is {status.value}, not ready",
        field="order",
        rule="acme.order.ready",
        remedy="prove every identifier first" if status is OrderStatus.PENDING else "order anew",
    )


def _replaced() -> AlreadyExists:
    return AlreadyExists(
        "another order replaces this certificate already",
        field="replaces",
        rule="acme.replaces.once",
        remedy="order without it",
    )
