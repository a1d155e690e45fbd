"""Which doors are open, for which RA, on which conditions."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from chancery.domain.door import Door, DoorProtocol, Seen, check_door
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.wire import documents

CheckSettings = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Fills a protocol's settings up with what holds where nothing is said; BadRequest for a fault."""

_TRAFFIC = 200


class DoorService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        clock: Clock,
        settings: Mapping[DoorProtocol, CheckSettings],
        https: str,
    ) -> None:
        """*https* is the address of the TLS listener, where all of them are served."""
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._settings = settings
        self._https = https

    def all(self, principal: Principal, ra: str | None = None) -> list[Door]:
        """By name; with *ra* those of one registration authority."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            return [door for door in session.doors.all() if ra in (None, door.ra)]

    def show(self, principal: Principal, name: str) -> Door:
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            return _known(session, name)

    def url(self, door: Door) -> str:
        """The address that devices are given."""
        return self._https + door.path

    def put(self, principal: Principal, door: Door) -> Door:
        """Open one, or change it."""
        demand(principal, Permission.RA_MANAGE)
        check_door(door)
        check = self._settings.get(door.protocol)
        if check is None:
            raise BadRequest(
                f"{door.protocol.value} is not served here", field="protocol", rule="door.protocol"
            )
        door = replace(door, settings=check(door.settings))
        now = self._clock.ms()
        changed = event(
            principal, "door.changed", door.name, sha256=documents.sha256(door), ra=door.ra
        )

        def unit(session: Session) -> None:
            if session.doors.get(door.name) == door:
                return
            _check_references(session, door)
            session.doors.put(door)
            session.audit.append([changed], now)

        self._store.write(unit)
        self._catalogue.changed()
        return door

    def delete(self, principal: Principal, name: str) -> None:
        """Close it for good: its credentials go with it, what was issued stays."""
        demand(principal, Permission.RA_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            _known(session, name)
            session.doors.delete(name)
            session.audit.append([event(principal, "door.deleted", name)], now)

        self._store.write(unit)
        self._catalogue.changed()

    def traffic(self, principal: Principal, name: str, limit: int = _TRAFFIC) -> list[Seen]:
        """What came in lately, newest first."""
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            _known(session, name)
            return session.enrolments.seen(name, min(limit, _TRAFFIC))


def _known(session: Session, name: str) -> Door:
    found = session.doors.get(name)
    if found is None:
        raise NotFound(
            f"no door {name[:80]!r}",
            field="door",
            rule="door.known",
            remedy="`chancery door list` shows those there are",
        )
    return found


def _check_references(session: Session, door: Door) -> None:
    ra = session.registrations.get(door.ra)
    if ra is None:
        raise BadRequest(
            f"no registration authority {door.ra!r}",
            field="door.ra",
            rule="ra.known",
            remedy="`chancery ra list` shows those there are",
        )
    for profile in sorted(door.offered):
        if profile not in ra.profiles:
            raise BadRequest(
                f"{ra.name} does not offer profile {profile!r}",
                field="door.profile",
                rule="ra.profiles",
                remedy="it offers: " + ", ".join(ra.profiles),
            )
    if door.authority is not None and door.authority not in ra.authorities:
        raise BadRequest(
            f"{ra.name} does not issue from {door.authority!r}",
            field="door.authority",
            rule="ra.authorities",
            remedy="it issues from: " + ", ".join(ra.authorities),
        )
