"""Numbers for the home page and its charts, cheap however large the record has grown.

Counts stop at a bound.  What happened each day is counted from the audit log
as it grows: its order is the order of commits, so every event is counted once.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from chancery.domain.audit import AuditRecord
from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import Permission, Principal
from chancery.domain.notification import DeliveryState
from chancery.domain.portal import RevocationRequestState
from chancery.domain.request import RequestState
from chancery.domain.work import JobState
from chancery.ports import Clock, RequestFilter, Session, Store
from chancery.ports_work import DailyFigure, DeliveryFilter
from chancery.services.access import demand

MOST: Final = 1000
"""Counts go no further: "1000+" says all that a person needs to know."""

EXPIRING_DAYS: Final = (7, 30, 90)
_MAX_DAYS: Final = 730
_DAY_S: Final = 86_400
_LOOK: Final = 20_000
"""Certificates looked at for one count: where nearly all are revoked, it says "at least"."""
_CURSOR: Final = "figures"
_CHUNK: Final = 4_000  # leaves read at a time
_PAUSE_S: Final = 0.05  # between chunks while catching up: others want the processor too

ListName = Literal["certificates", "requests", "revocations", "jobs", "notifications"]


@dataclass(frozen=True, slots=True)
class Count:
    """A number, and the list it counts: *where* holds the very parameters of that list.

    *more*: there are more than *value*.
    """

    name: str
    value: int
    more: bool
    list: ListName
    where: Mapping[str, str]

    @property
    def text(self) -> str:
        return f"{self.value}+" if self.more else str(self.value)


@dataclass(frozen=True, slots=True)
class Home:
    """*waiting* holds one count for each RA whose requests the principal decides."""

    waiting: tuple[Count, ...]
    own: Count
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Day:
    date: str  # 2026-05-01, UTC
    issued: int
    revoked: int


class FigureService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def home(self, principal: Principal) -> Home:
        """What there is to do, and how much there is; only what *principal* may list."""
        demand(principal, Permission.AUTHENTICATED)
        now = self._clock.s()
        may = principal.permissions
        with self._store.read() as session:
            counts: list[Count] = []
            if Permission.REQUEST_READ_ALL in may:
                counts += [
                    _requests(session, f"requests.{state.value}", RequestFilter(state=state))
                    for state in (RequestState.PENDING, RequestState.FAILED)
                ]
            if Permission.CERTIFICATE_REVOKE in may:
                counts.append(_wishes(session))
            if Permission.CERTIFICATE_READ in may:
                counts += _certificates(session, now)
            if Permission.WORK_READ in may:
                counts += _work(session)
            own = RequestFilter(state=RequestState.PENDING, requester=principal.name)
            return Home(
                waiting=tuple(_waiting(session, principal)),
                own=_requests(session, "requests.own", own),
                counts=tuple(counts),
            )

    def series(
        self,
        principal: Principal,
        days: int = 30,
        ca: str | None = None,
        profile: str | None = None,
    ) -> list[Day]:
        """Issued and revoked per day, today last; a day on which nothing happened has zeros."""
        demand(principal, Permission.CERTIFICATE_READ)
        if not 1 <= days <= _MAX_DAYS:
            raise BadRequest(f"1 to {_MAX_DAYS} days", field="days", rule="figures.days")
        today = self._clock.s() // _DAY_S
        with self._store.read() as session:
            found = session.figures.days(today - days + 1, ca, profile)
        by_day = {figure.day: figure for figure in found}
        nothing = DailyFigure(0, "", "", 0, 0)
        return [
            Day(_date(day), figure.issued, figure.revoked)
            for day in range(today - days + 1, today + 1)
            for figure in (by_day.get(day, nothing),)
        ]


def _date(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()


def _count(name: str, found: int, list_: ListName, where: Mapping[str, object]) -> Count:
    given = {key: str(value) for key, value in where.items()}
    return Count(name, min(found, MOST), found > MOST, list_, given)


def _requests(session: Session, name: str, where: RequestFilter) -> Count:
    given = {"state": where.state, "ra": where.ra, "requester": where.requester}
    found = session.requests.count(where, MOST + 1)
    return _count(name, found, "requests", {k: v for k, v in given.items() if v is not None})


def _waiting(session: Session, principal: Principal) -> list[Count]:
    """Undecided requests of each RA whose approval group *principal* is in."""
    if Permission.REQUEST_DECIDE not in principal.permissions:
        return []
    return [
        _requests(
            session, f"waiting.{ra.name}", RequestFilter(state=RequestState.PENDING, ra=ra.name)
        )
        for ra in session.registrations.all()
        if ra.approval_group in principal.groups
    ]


def _wishes(session: Session) -> Count:
    """Wishes to revoke that nobody has answered."""
    wanted = RevocationRequestState.OPEN
    found = session.portal.revocation_requests(wanted, None, MOST + 1)
    return _count("revocations.open", len(found), "revocations", {"state": wanted})


def _certificates(session: Session, now: int) -> list[Count]:
    # To the minute: a link that was on the page a moment ago leads to the same list.
    now = now // 60 * 60
    ends: list[tuple[str, int | None]] = [("certificates.valid", None)]
    ends += [(f"certificates.expiring-{days}", now + days * _DAY_S) for days in EXPIRING_DAYS]
    counts = []
    for name, before in ends:
        found, whole = session.certificates.count_valid(now, before, MOST + 1, _LOOK)
        where: dict[str, object] = {"status": CertificateStatus.VALID, "expires_after": now}
        if before is not None:
            where["expires_before"] = before
        counted = _count(name, found, "certificates", where)
        counts.append(counted if whole else replace(counted, more=True))
    return counts


def _work(session: Session) -> list[Count]:
    jobs = session.jobs.find(JobState.FAILED, None, None, MOST + 1)
    unsent = DeliveryFilter(state=DeliveryState.FAILED)
    deliveries = session.notifications.deliveries(unsent, None, MOST + 1)
    return [
        _count("jobs.failed", len(jobs), "jobs", {"state": JobState.FAILED}),
        _count(
            "notifications.failed",
            len(deliveries),
            "notifications",
            {"state": DeliveryState.FAILED},
        ),
    ]


class FigureCounter:
    """Brings the daily figures up to date.  Any node may run it; each leaf is counted once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Count to the end of the log, or until *stopped*; return the number of leaves read."""
        seen = 0
        while not stopped():
            read = self._chunk()
            seen += read
            if read < _CHUNK:
                break
            time.sleep(_PAUSE_S)
        return seen

    def _chunk(self) -> int:
        with self._store.read() as session:
            position = session.figures.position(_CURSOR)
            start = position or 0
            records = session.audit.records(start, start + _CHUNK)
            figures = _tally(session, records) if records else []
        if not records:
            return 0

        def unit(session: Session) -> None:
            session.figures.advance(_CURSOR, position, start + len(records))
            session.figures.add(figures)

        try:
            self._store.write(unit)
        except Conflict:  # another node counted these
            return 0
        return len(records)


_ISSUED: Final = b'{"action":"certificate.issued"'
_REVOKED: Final = b'{"action":"certificate.revoked"'


def _tally(session: Session, records: Sequence[AuditRecord]) -> list[DailyFigure]:
    issued: defaultdict[tuple[int, str, str], int] = defaultdict(int)
    revoked: defaultdict[tuple[int, str, str], int] = defaultdict(int)
    names: dict[str, str] = {}
    gone: list[tuple[int, str, str]] = []
    for record in records:
        if record.leaf.startswith(_ISSUED):
            day, details = record.time_ms // 1000 // _DAY_S, record.event.details
            sha256 = str(details.get("profile", ""))  # a plain name for CAs and responders
            if sha256 not in names:
                version = session.profiles.version(sha256)
                names[sha256] = version.profile.name if version is not None else sha256
            issued[day, str(details["authority"]), names[sha256]] += 1
        elif record.leaf.startswith(_REVOKED):
            details = record.event.details
            day = record.time_ms // 1000 // _DAY_S
            gone.append((day, str(details["authority"]), str(details["serial"])))
    profiles = session.certificates.profiles_of([serial for *_, serial in gone])
    for day, authority, serial in gone:
        revoked[day, authority, profiles.get((authority, serial), "")] += 1
    return [
        DailyFigure(*key, issued=issued[key], revoked=revoked[key])
        for key in sorted(issued.keys() | revoked.keys())
    ]
