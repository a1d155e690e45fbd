"""Numbers of the home page: exact, bounded, and each leads to the list it counts."""

from dataclasses import replace

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import Conflict, NotPermitted
from chancery.domain.identity import GRANTS, SYSTEM, AuthMethod, Permission, Principal, Role
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.domain.request import RequestState
from chancery.ports import CertificateFilter, Page, RequestFilter
from chancery.ports_work import DailyFigure
from chancery.services import figures
from chancery.services.audit import event
from chancery.services.certificates import CertificateService
from chancery.services.figures import FigureCounter, FigureService
from services import records

NOW = records.NOW
DAY = 86_400


class At:
    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def ms(self) -> int:
        return self.now * 1000

    def s(self) -> int:
        return self.now


def principal(role: Role, *groups: str) -> Principal:
    granted = GRANTS[role] | {Permission.AUTHENTICATED}
    return Principal(
        "olga", frozenset({role}), frozenset(groups), granted, AuthMethod.TOKEN, "192.0.2.1"
    )


def issue(store: SqlStore, at: int = NOW, **changes: object) -> str:
    """Put one certificate on record as issuance does; return its serial."""
    request = records.request(state=RequestState.APPROVED)
    intent = records.intent(request)
    certificate = replace(records.certificate(request), **changes)  # type: ignore[arg-type]
    told = event(
        SYSTEM,
        "certificate.issued",
        f"{certificate.authority}/{certificate.serial}",
        authority=certificate.authority,
        serial=certificate.serial,
        profile=certificate.profile_sha256,
    )
    store.write(lambda s: s.certificates.intend([intent]))
    store.write(
        lambda s: (
            s.certificates.issue([certificate], [intent.id]),
            s.audit.append([told], at * 1000),
        )
    )
    return certificate.serial


def test_every_event_is_counted_once_on_its_day(store: SqlStore) -> None:
    profile = ExtensionProfile("tls-server")
    sha256 = records.certificate(records.request()).profile_sha256
    store.write(lambda s: s.profiles.add(ProfileVersion(profile, 1, sha256, NOW, "ada")))
    clock, counter = At(NOW - 2 * DAY), FigureCounter(store)
    issue(store, clock.now)
    clock.now += DAY
    serials = [issue(store, clock.now) for _ in range(3)]
    assert counter.run() == 4
    clock.now += DAY
    service = CertificateService(store, clock)
    service.revoke(SYSTEM, serials[0], RevocationReason.superseded)
    service.hold(SYSTEM, serials[1])
    issue(store, clock.now)
    assert counter.run() == 3
    assert counter.run() == 0
    home = FigureService(store, clock)
    days = home.series(principal(Role.AUDITOR), days=4)
    assert [(day.issued, day.revoked) for day in days] == [(0, 0), (1, 0), (3, 0), (1, 1)]
    assert days[-1].date == "2026-09-21"
    assert home.series(principal(Role.AUDITOR), 4, ca="other") == [
        replace(day, issued=0, revoked=0) for day in days
    ]
    assert home.series(principal(Role.AUDITOR), 4, "issuing", "tls-server") == days
    with store.read() as session:
        assert session.figures.totals() == [DailyFigure(0, "issuing", "tls-server", 5, 1)]


def test_two_counters_never_count_the_same_leaf(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(store)
    with store.read() as session:
        assert session.figures.position("figures") is None
    store.write(lambda s: s.figures.advance("figures", None, 1))  # another node, meanwhile
    with pytest.raises(Conflict):
        store.write(lambda s: s.figures.advance("figures", None, 1))
    with pytest.raises(Conflict):
        store.write(lambda s: s.figures.advance("figures", 0, 1))
    monkeypatch.setattr(figures, "_CHUNK", 2)
    for _ in range(3):
        issue(store)
    assert FigureCounter(store).run() == 3
    with store.read() as session:
        assert [figure.issued for figure in session.figures.totals()] == [3]


def test_each_count_is_that_of_its_list(store: SqlStore) -> None:
    for days in (3, 20, 20, 60, 200):
        issue(store, not_after=NOW + days * DAY)
    issue(store, not_after=NOW - DAY)
    gone = issue(store, not_after=NOW + 3 * DAY)
    clock = At()
    CertificateService(store, clock).revoke(SYSTEM, gone, RevocationReason.superseded)
    store.write(lambda s: s.requests.add([records.request(requester="olga"), records.request()]))
    home = FigureService(store, clock).home(principal(Role.RA_OFFICER, "officers"))
    found = {count.name: count for count in home.counts}
    assert {name: count.text for name, count in found.items()} == {
        "requests.pending": "2",
        "requests.failed": "0",
        "revocations.open": "0",
        "certificates.valid": "5",
        "certificates.expiring-7": "1",
        "certificates.expiring-30": "3",
        "certificates.expiring-90": "4",
    }
    assert home.own.value == 1
    for count in home.counts:
        if count.list == "certificates":
            where = CertificateFilter(
                status=CertificateStatus(count.where["status"]),
                expires_after=int(count.where["expires_after"]),
                expires_before=int(count.where.get("expires_before", "9" * 11)),
            )
            with store.read() as session:
                assert len(session.certificates.find(where, Page())) == count.value
    assert home.own.where == {"state": "pending", "requester": "olga"}


def test_counting_stops_at_the_bound(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 2)
    for _ in range(3):
        issue(store, not_after=NOW + DAY)
    home = FigureService(store, At()).home(principal(Role.AUDITOR))
    assert {count.name: count.text for count in home.counts}["certificates.valid"] == "2+"
    with store.read() as session:
        assert session.certificates.count_valid(NOW, None, 10, 100) == (3, True)
        assert session.certificates.count_valid(NOW, None, 10, 2) == (2, False)
        assert session.certificates.count_valid(NOW, NOW + DAY, 10, 2) == (0, True)
        assert session.requests.count(RequestFilter(state=RequestState.APPROVED), 10) == 0


def test_who_may_not_list_something_is_not_told_how_much_there_is(store: SqlStore) -> None:
    service = FigureService(store, At())
    home = service.home(principal(Role.REQUESTER))
    assert not [one for one in home.counts if one.list != "certificates"]
    assert home.waiting == ()
    narrow = replace(principal(Role.REQUESTER), permissions=frozenset({Permission.AUTHENTICATED}))
    assert service.home(narrow).counts == ()
    with pytest.raises(NotPermitted):
        service.series(narrow)
