"""Registration authorities: who may submit what to which CA, and who decides."""

from chancery.domain.errors import BadRequest, Conflict, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.registration import RegistrationAuthority, check_ra
from chancery.domain.request import RequestState
from chancery.ports import Clock, Page, RequestFilter, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.wire import documents


class RaService:
    """See the module."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    def all(self, principal: Principal) -> list[RegistrationAuthority]:
        """By name."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            return session.registrations.all()

    def show(self, principal: Principal, name: str) -> RegistrationAuthority:
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            found = session.registrations.get(name)
        if found is None:
            raise _unknown(name)
        return found

    def put(self, principal: Principal, ra: RegistrationAuthority) -> RegistrationAuthority:
        """Create or replace one."""
        demand(principal, Permission.RA_MANAGE)
        check_ra(ra)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            _check_references(session, ra)
            session.registrations.put(ra)
            changed = event(principal, "ra.changed", ra.name, sha256=documents.sha256(ra))
            session.audit.append([changed], now)

        self._store.write(unit)
        self._catalogue.changed()
        return ra

    def delete(self, principal: Principal, name: str) -> None:
        """Remove one that has nothing undecided."""
        demand(principal, Permission.RA_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if session.registrations.get(name) is None:
                raise _unknown(name)
            waiting = RequestFilter(ra=name, state=RequestState.PENDING)
            if session.requests.find(waiting, Page(limit=1)):
                raise Conflict(
                    f"{name} has undecided requests",
                    field="ra",
                    rule="ra.idle",
                    remedy="decide or withdraw them first",
                )
            session.registrations.delete(name)
            session.audit.append([event(principal, "ra.deleted", name)], now)

        self._store.write(unit)
        self._catalogue.changed()


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"no registration authority {name!r}",
        field="ra",
        rule="ra.known",
        remedy="`chancery ra list` shows those there are",
    )


def _check_references(session: Session, ra: RegistrationAuthority) -> None:
    for name in ra.profiles:
        if session.profiles.latest(name) is None:
            raise BadRequest(
                f"no profile {name!r}",
                field="ra.profiles",
                rule="profile.known",
                remedy="`chancery profile list` shows those there are",
            )
    for name in ra.authorities:
        authority = session.authorities.get(name)
        if authority is None:
            raise BadRequest(
                f"no authority {name!r}",
                field="ra.authorities",
                rule="authority.known",
                remedy="`chancery ca list` shows those there are",
            )
        if authority.offline:
            raise BadRequest(
                f"{name} is offline: it issues nothing through this server",
                field="ra.authorities",
                rule="authority.online",
                remedy="name a CA whose key is held here",
            )
    for field, group in (
        ("ra.approval_group", ra.approval_group),
        *(("ra.submit_groups", group) for group in ra.submit_groups),
    ):
        if session.identities.group(group) is None:
            raise BadRequest(
                f"no group {group!r}",
                field=field,
                rule="group.known",
                remedy="create it first: `chancery group create`",
            )
    officers = session.identities.group(ra.approval_group)
    if officers is not None and ra.approvals > len(officers.members):
        raise BadRequest(
            f"{ra.approvals} approvals are asked of the {len(officers.members)} members of"
            f" {officers.name}: nothing could ever be issued",
            field="ra.approvals",
            rule="ra.approvers",
            remedy="ask for fewer, or put more officers into the group first",
        )
