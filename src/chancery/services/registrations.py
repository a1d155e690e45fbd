"""Registration authorities: who may submit what to which CA, and who decides."""

from chancery.domain.errors import BadRequest, Conflict, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.policy import PolicyKind, PolicyVersion
from chancery.domain.registration import RaFilter, RegistrationAuthority, check_ra
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.policy_record import record_version, version_of
from chancery.services.risk import NOTHING, Accepts, of_ra, settle
from chancery.wire import documents


class RaService:
    """See the module."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    def all(self, principal: Principal) -> list[RegistrationAuthority]:
        """By name."""
        return self.find(principal, RaFilter())

    def find(self, principal: Principal, where: RaFilter) -> list[RegistrationAuthority]:
        """Those that meet every condition given, by name; there are few, so they come whole."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            return [ra for ra in session.registrations.all() if where.fits(ra)]

    def show(self, principal: Principal, name: str) -> RegistrationAuthority:
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            found = session.registrations.get(name)
        if found is None:
            raise _unknown(name)
        return found

    def versions(self, principal: Principal, name: str) -> list[PolicyVersion]:
        """Every version, oldest first; those of a deleted one too."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            found = session.policy_history.versions(PolicyKind.RA, name)
        if not found:
            raise _unknown(name)
        return found

    def version(self, principal: Principal, name: str, number: int) -> RegistrationAuthority:
        """A registration authority as it was in that version."""
        version = version_of(self.versions(principal, name), number, "ra")
        return documents.recall(RegistrationAuthority, version.document)

    def waiting(self, principal: Principal, name: str) -> int:
        """How many of its requests are undecided: it cannot be deleted before none is."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            return session.requests.count_pending(name)

    def put(
        self,
        principal: Principal,
        ra: RegistrationAuthority,
        *,
        accept_risks: Accepts = NOTHING,
    ) -> RegistrationAuthority:
        """Create or replace one; *accept_risks* as for a profile.

        What is in force already changes nothing.
        """
        demand(principal, Permission.RA_MANAGE)
        check_ra(ra)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if session.registrations.get(ra.name) == ra:
                return
            check_references(session, ra)
            if not ra.disabled:  # one that takes nothing in endangers nobody
                risks = of_ra(session, ra)
                settle(session, principal, PolicyKind.RA, ra.name, risks, accept_risks, now)
            session.registrations.put(ra)
            version = record_version(session, principal, PolicyKind.RA, ra, now)
            changed = event(
                principal, "ra.changed", ra.name, version=version.version, sha256=version.sha256
            )
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
            if waiting := session.requests.count_pending(name):
                raise Conflict(
                    f"{name} has {waiting} undecided request{'' if waiting == 1 else 's'}",
                    field="ra",
                    rule="ra.idle",
                    remedy="disable it, so that no more come in; decide those that wait; then"
                    " delete it",
                )
            session.registrations.delete(name)
            session.policy_history.accept([], PolicyKind.RA, name)
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


def check_references(session: Session, ra: RegistrationAuthority) -> None:
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
    # Two who sign in together give one approval.
    most = len(officers.members) // officers.logins_required if officers is not None else 0
    if officers is not None and ra.approvals > most:
        raise BadRequest(
            f"{ra.approvals} approvals are asked of the {len(officers.members)} members of"
            f" {officers.name}"
            + (", who approve in twos" if officers.logins_required > 1 else "")
            + ": nothing could ever be issued",
            field="ra.approvals",
            rule="ra.approvers",
            remedy="ask for fewer, or put more officers into the group first",
        )
