"""Many certificates revoked, many requests decided: exactly what was seen, on record for each."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted, WrongState
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.operation import Operation, OperationState
from chancery.domain.request import RequestState, Submission
from chancery.domain.work import JobState
from chancery.ports import CertificateFilter, Page
from chancery.services.jobs import Lease
from chancery.services.operations import Preview, running
from services.csr import p256_csr

Who = Callable[[str], Principal]
SUPERSEDED = RevocationReason.superseded


@pytest.fixture
def named(office: Office, who: Who, request: pytest.FixtureRequest) -> CertificateFilter:
    """A few certificates that share the beginning of their name, and the filter for them."""
    stem = (
        request.node.name.replace("_", "-").replace("[", "-").rstrip("]")[-40:].lower().strip("-")
    )
    for number in range(5):
        name = f"{stem}-{number}.example.org"
        office.registration.submit(
            who("requester"), Submission("tls-server", ra="automatic", csr=p256_csr(name).encode())
        )
    return CertificateFilter(subject=f"CN={stem}-*")


@contextmanager
def at_work(office: Office) -> Iterator[None]:
    runner = office.work.runner()
    runner.start()
    try:
        yield
    finally:
        runner.stop()


def finish(office: Office, operation: Operation) -> Operation:
    deadline = time.monotonic() + 30
    with at_work(office):
        while not (now := office.work.operations.show(SYSTEM, operation.id)).ended:
            assert time.monotonic() < deadline, now
            time.sleep(0.02)
    return now


def revoke(
    office: Office, principal: Principal, where: CertificateFilter, seen: Preview
) -> Operation:
    return office.work.operations.revoke(
        principal, where, SUPERSEDED, seen.seen, comment="the host is gone"
    )


def test_what_was_previewed_is_revoked_and_told_for_each(
    office: Office, who: Who, named: CertificateFilter
) -> None:
    officer = who("officer1")
    found = office.certificates.find(officer, named, Page())
    office.certificates.hold(SYSTEM, found[0].serial, found[0].authority)
    office.certificates.revoke(SYSTEM, found[1].serial, RevocationReason.superseded)
    with office.store.read() as session:
        held_since = session.certificates.get(found[0].id)
        assert held_since is not None
    preview = office.work.operations.preview(officer, named)
    assert (preview.seen.count, preview.parts) == (4, (("issuing-ca", "tls-server", 4),))
    assert len(preview.first) == 4
    begun = revoke(office, officer, named, preview)
    assert (begun.state, begun.total, begun.started_by) == (OperationState.WAITING, 4, "officer1")
    done = finish(office, begun)
    assert (done.state, done.done, done.skipped, done.failed) == (OperationState.DONE, 4, 0, 0)
    for record in office.certificates.find(officer, named, Page()):
        assert (record.status, record.reason) == (CertificateStatus.REVOKED, SUPERSEDED)
        assert record.revoked_at == held_since.revoked_at or record.id != held_since.id
    with office.store.read() as session:
        leaves = session.audit.find(action="certificate.revoked", limit=1000)
        ours = [one.event for one in leaves if one.event.details.get("operation") == begun.id]
        assert {one.subject_id for one in ours} == {
            f"{one.authority}/{one.serial}" for one in preview.first
        }
        assert {(one.actor, one.details["reason"]) for one in ours} == {("officer1", "superseded")}
        (started,) = session.audit.find(action="operation.started", subject_id=begun.id)
        assert started.event.details["comment"] == "the host is gone"
        assert session.audit.find(action="operation.ended", subject_id=begun.id)
        assert "issuing-ca" in session.crls.due(office.clock.s() + 2)
    assert office.work.operations.preview(officer, named).seen.count == 0
    with pytest.raises(BadRequest, match="no certificate"):
        revoke(office, officer, named, office.work.operations.preview(officer, named))


def test_a_change_in_between_is_refused_and_what_is_new_left_alone(
    office: Office, who: Who, named: CertificateFilter
) -> None:
    officer = who("officer1")
    preview = office.work.operations.preview(officer, named)
    time.sleep(0.002)
    stem = str(named.subject).removeprefix("CN=").rstrip("*")
    csr = p256_csr(f"{stem}new.example.org").encode()
    new = office.registration.submit(
        who("requester"), Submission("tls-server", ra="automatic", csr=csr)
    ).certificate
    assert new is not None
    one = preview.first[0]
    office.certificates.revoke(SYSTEM, one.serial, RevocationReason.superseded, one.authority)
    with pytest.raises(Conflict) as refusal:
        revoke(office, officer, named, preview)
    assert refusal.value.rule == "operation.changed"
    forged = replace(preview, seen=replace(preview.seen, count=4))
    with pytest.raises(Conflict):
        revoke(office, officer, named, forged)
    again = office.work.operations.preview(officer, named)
    assert again.seen.count == 5  # the new one is in it
    done = finish(
        office, revoke(office, officer, replace(named, status=CertificateStatus.VALID), again)
    )
    assert done.done == 5
    assert office.certificates.show(SYSTEM, new.serial, new.authority).status.value == "revoked"


@pytest.mark.parametrize(
    ("where", "rule"),
    [
        (CertificateFilter(), "operation.filter"),
        (
            CertificateFilter(authority="issuing-ca", status=CertificateStatus.REVOKED),
            "operation.filter",
        ),
        (CertificateFilter(serial="xyz"), "serial.syntax"),
    ],
)
def test_filters_that_mean_too_much_or_nothing(
    office: Office, who: Who, where: CertificateFilter, rule: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        office.work.operations.preview(who("officer1"), where)
    assert refusal.value.rule == rule


@pytest.mark.parametrize("name", ["requester", "auditor", "admin"])
def test_who_may_not_revoke_may_not_revoke_many(office: Office, who: Who, name: str) -> None:
    where = CertificateFilter(authority="issuing-ca")
    with pytest.raises(NotPermitted):
        office.work.operations.preview(who(name), where)
    seen = office.work.operations.preview(who("officer1"), where)
    with pytest.raises(NotPermitted):
        revoke(office, who(name), where, seen)


def test_bad_orders(office: Office, who: Who, named: CertificateFilter) -> None:
    officer, service = who("officer1"), office.work.operations
    seen = service.preview(officer, named).seen
    with pytest.raises(BadRequest, match="for good"):
        service.revoke(officer, named, RevocationReason.certificateHold, seen)
    with pytest.raises(BadRequest, match="future"):
        service.revoke(officer, named, SUPERSEDED, seen, invalidity_date=office.clock.s() + 60)
    with pytest.raises(BadRequest, match="preview"):
        service.revoke(officer, named, SUPERSEDED, replace(seen, as_of=seen.as_of + 10**6))


def test_a_compromise_blocks_every_key(office: Office, who: Who, named: CertificateFilter) -> None:
    officer = who("officer1")
    preview = office.work.operations.preview(officer, named)
    begun = office.work.operations.revoke(
        officer, named, RevocationReason.keyCompromise, preview.seen, invalidity_date=1_700_000_000
    )
    assert finish(office, begun).done == 5
    keys = [one.key_sha256 for one in preview.first]
    with office.store.read() as session:
        assert set(session.certificates.keys_blocked(keys)) == set(keys)
    assert {one.invalidity_date for one in office.certificates.find(officer, named, Page())} == {
        1_700_000_000
    }


def test_cancelled_it_stops_where_it_is(
    office: Office, who: Who, named: CertificateFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, service = who("officer1"), office.work.operations
    begun = revoke(office, officer, named, service.preview(officer, named))
    with pytest.raises(NotFound):
        service.cancel(who("requester"), begun.id)
    with pytest.raises(NotPermitted):
        service.cancel(who("auditor"), begun.id)
    cancelled = service.cancel(who("officer2"), begun.id)
    assert (cancelled.state, cancelled.cancelled_by) == (OperationState.CANCELLED, "officer2")
    finish(office, begun)
    with at_work(office):
        deadline = time.monotonic() + 10
        while _job(office, begun) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert service.preview(officer, named).seen.count == 5
    with pytest.raises(WrongState):
        service.cancel(officer, begun.id)


def _job(office: Office, operation: Operation) -> object:
    with office.store.read() as session:
        return session.jobs.get(operation.id)


def test_a_takeover_in_the_middle_does_nothing_twice(
    office: Office, who: Who, named: CertificateFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder that lost its lease can write no more; the next goes on at the same place."""
    officer, service = who("officer1"), office.work.operations
    monkeypatch.setattr(running, "_REVOKED", 2)
    begun = revoke(office, officer, named, service.preview(officer, named))
    now = office.clock.s()

    def claim(at: int, holder: str):  # type: ignore[no-untyped-def]
        return office.store.write(lambda s: s.jobs.claim(["operation"], holder, at, 60, 1))

    handler = running.OperationHandler(office.store, office.decisions, office.clock)
    (first,) = claim(now, "dead")
    held = Lease(first, first.leased_by, threading.Event())
    assert handler._revoke_some(held, officer) is False
    (second,) = claim(now + 61, "alive")
    with pytest.raises(Conflict, match="taken this job over"):
        handler._revoke_some(held, officer)
    assert held.lost.is_set()
    assert service.show(SYSTEM, begun.id).done == 2
    assert handler.run(Lease(second, second.leased_by, threading.Event())) is None
    done = service.show(SYSTEM, begun.id)
    assert (done.state, done.done, done.skipped) == (OperationState.DONE, 5, 0)
    with office.store.read() as session:
        leaves = session.audit.find(action="certificate.revoked", limit=1000)
    ours = [x.event.subject_id for x in leaves if x.event.details.get("operation") == begun.id]
    assert len(ours) == len(set(ours)) == 5


def test_an_account_that_was_disabled_does_no_more(
    office: Office, who: Who, named: CertificateFilter
) -> None:
    office.identity.users.create(SYSTEM, "brief", roles=[], email="")
    officer = replace(who("officer1"), name="brief")
    begun = revoke(office, officer, named, office.work.operations.preview(officer, named))
    office.identity.users.edit(SYSTEM, "brief", disabled=True)
    ended = finish(office, begun)
    assert ended.state is OperationState.FAILED
    assert "disabled" in (ended.failure or "")
    jobs = office.work.jobs.find(who("auditor"), JobState.FAILED)
    assert begun.id in {one.id for one in jobs}
    office.work.jobs.discard(who("admin"), begun.id)
    assert office.work.operations.preview(who("officer1"), named).seen.count == 5


def test_many_requests_are_decided_each_by_what_was_seen(office: Office, who: Who) -> None:
    officer, service = who("officer1"), office.work.operations
    requests = [
        office.registration.submit(
            who("requester"),
            Submission("tls-server", ra="main", csr=p256_csr(f"many{n}.example.org").encode()),
        ).request
        for n in range(6)
    ]
    office.changes.withdraw(who("requester"), requests[0].id)
    office.decisions.approve(officer, requests[1].id)  # by hand, before
    time.sleep(0.002)
    pairs = [(one.id, one.content_sha256) for one in requests]
    pairs[2] = (pairs[2][0], "0" * 64)
    first = finish(office, service.decide(officer, pairs, approve=True))
    assert (first.done, first.skipped, first.failed) == (3, 1, 2)
    errors = {one.id: one.error for one in service.failures(SYSTEM, first.id)}
    assert errors == {
        requests[0].id: "the request is withdrawn",
        requests[2].id: "the request changed after you looked at it",
    }
    second = finish(office, service.decide(who("officer2"), pairs[3:], approve=True))
    assert (second.done, second.failed) == (3, 0)
    for one in requests[3:]:
        assert office.registration.show(SYSTEM, one.id).request.state is RequestState.ISSUED
    third = finish(
        office, service.decide(officer, [pairs[1]], approve=False, reason="not any more")
    )
    assert third.done == 1
    denied = office.registration.show(SYSTEM, requests[1].id).request
    assert (denied.state, denied.decision_reason) == (RequestState.DENIED, "not any more")


def test_bad_decisions(office: Office, who: Who) -> None:
    service, officer = office.work.operations, who("officer1")
    for pairs, approve, match in (
        ([], True, "1 to 1000"),
        ([("a", "0" * 64)] * 2, True, "twice"),
        ([("a", "0" * 64)], False, "reason"),
    ):
        with pytest.raises(BadRequest, match=match):
            service.decide(officer, pairs, approve=approve)
    with pytest.raises(NotPermitted):
        service.decide(who("requester"), [("a", "0" * 64)], approve=True)


def test_who_sees_whose(office: Office, who: Who, named: CertificateFilter) -> None:
    service, officer = office.work.operations, who("officer1")
    begun = revoke(office, officer, named, service.preview(officer, named))
    assert begun.id in {one.id for one in service.find(who("auditor"))}
    assert service.find(who("requester")) == []
    with pytest.raises(NotFound):
        service.show(who("requester"), begun.id)
    finish(office, begun)
