"""Requests and certificates as people look at them before they act."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import Principal, anonymous
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.request import Submission
from chancery.domain.saved_filter import MAX_NAME, MOST, ListName
from chancery.ports import CertificateFilter
from chancery.services.portal.check import Severity
from chancery.services.review import Act
from services.csr import p256_csr

Who = Callable[[str], Principal]


def submission(name: str = "review.example.org", **fields: object) -> Submission:
    return replace(Submission("tls-server", ra="main", csr=p256_csr(name).encode()), **fields)


def rules(office: Office, principal: Principal, request_id: str) -> dict[str, str | None]:
    """What this principal may not do, and by which rule."""
    refusals = office.reviews.show(principal, request_id).refusals
    return {act.value: error.rule for act, error in refusals.items()}


def test_what_each_may_do_and_why_not(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    assert rules(office, who("officer1"), request.id) == {
        "edit": "request.owner", "withdraw": "request.owner", "delete": "request.owner",
    }  # fmt: skip
    assert rules(office, who("requester"), request.id) == {
        "approve": "request.decide", "deny": "request.decide", "delete": "request.removable",
    }  # fmt: skip
    office.decisions.approve(who("officer1"), request.id)
    assert rules(office, who("officer1"), request.id)["approve"] == "approval.once"
    assert "deny" not in rules(office, who("officer1"), request.id)
    assert set(rules(office, who("auditor"), request.id)) == set(Act)
    office.changes.withdraw(who("requester"), request.id)
    assert rules(office, who("officer2"), request.id)["approve"] == "request.pending"
    assert "delete" not in rules(office, who("requester"), request.id)


def test_one_s_own_can_be_denied_and_not_approved(office: Office, who: Who) -> None:
    request = office.registration.submit(who("officer1"), submission()).request
    found = rules(office, who("officer1"), request.id)
    assert (found["approve"], "deny" in found) == ("approval.not-own", False)


def test_approvals_of_an_earlier_content_are_void(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    office.decisions.approve(who("officer1"), request.id)
    before = office.reviews.show(who("officer2"), request.id)
    assert (before.missing, [one.approver for one in before.approvals]) == (1, ["officer1"])
    assert office.reviews.given([before.request]) == {request.id: 1}
    edited = office.changes.edit(who("requester"), request.id, submission(days=20))
    after = office.reviews.show(who("officer2"), request.id)
    assert (after.missing, after.request.content_sha256) == (2, edited.content_sha256)
    assert [entry.action for entry in after.history] == [
        "request.edited", "request.approved", "request.submitted",
    ]  # fmt: skip


def test_nobody_sees_what_is_not_theirs(office: Office, who: Who) -> None:
    request = office.registration.submit(who("officer1"), submission()).request
    for look in (office.reviews.show, office.reviews.findings):
        with pytest.raises(errors.NotFound):
            look(who("requester"), request.id)
    with pytest.raises(errors.NotPermitted):
        office.reviews.queues(who("requester"))


def test_queues_of_one_s_own_group_come_first(office: Office, who: Who) -> None:
    office.registration.submit(who("requester"), submission())
    queues = {queue.ra: queue for queue in office.reviews.queues(who("officer1"))}
    assert queues["main"].mine
    assert queues["main"].waiting >= 1
    assert not {q.ra: q for q in office.reviews.queues(who("auditor"))}["main"].mine


def test_findings_of_key_content_and_linters(office: Office, who: Who) -> None:
    request = office.registration.submit(
        who("requester"), submission("xn--bcher-kva.example.org")
    ).request
    found = office.reviews.findings(who("officer1"), request.id, full=True)
    assert [(one.severity, one.rule) for one in found] == [(Severity.NOTE, "name.idn")]
    now = office.clock.s()
    office.store.write(
        lambda session: session.certificates.block_key(request.key_sha256, "found in a heap", now)
    )
    blocked = office.reviews.findings(who("officer1"), request.id)
    assert (Severity.ERROR, "key.blocked") in [(one.severity, one.rule) for one in blocked]


def test_a_key_to_be_made_is_foreseen_without_being_made(office: Office, who: Who) -> None:
    wanted = Submission(
        "tls-server",
        ra="main",
        server_key="rsa-4096",
        names=(GeneralName(NameKind.DNS, "later.example.org"),),
    )
    checked = office.portal.checks.check(who("requester"), wanted)
    assert checked.fit, checked.findings
    assert checked.certificate is not None
    assert checked.certificate["key"]["algorithm"] == "rsa-4096"  # type: ignore[index]
    assert (checked.request, checked.approvals, checked.ra) == (None, 2, "main")
    bad = office.portal.checks.check(who("requester"), replace(wanted, server_key="rsa-512"))
    assert [one.rule for one in bad.findings] == ["key.algorithm"]


def test_a_certificate_s_history_leads_from_the_request_into_the_log(
    office: Office, who: Who
) -> None:
    automatic = submission("history.example.org", ra="automatic")
    record = office.registration.submit(who("requester"), automatic).certificate
    assert record is not None
    office.audit.checkpoint()
    history = office.history.of_certificate(who("requester"), record.serial, record.authority)
    assert [entry.action for entry in history.entries] == [
        "certificate.issued", "request.submitted",
    ]  # fmt: skip
    assert history.logged is not None
    assert history.logged.size is not None
    assert history.logged.seq < history.logged.size
    stranger = who("officer2")
    hidden = replace(stranger, permissions=stranger.permissions - {"request.read-all"})
    seen = office.history.of_certificate(hidden, record.serial)
    assert [entry.action for entry in seen.entries] == ["certificate.issued"]


def test_a_comment_goes_into_the_log(office: Office, who: Who) -> None:
    automatic = submission("commented.example.org", ra="automatic")
    record = office.registration.submit(who("requester"), automatic).certificate
    assert record is not None
    office.certificates.hold(who("officer1"), record.serial, comment="lost laptop")
    history = office.history.of_certificate(who("officer1"), record.serial)
    assert history.entries[0].why == "certificateHold: lost laptop"
    assert set(office.certificates.refusals(who("officer1"), replace(record))) == {"release"}


def test_a_word_means_what_finds_something(office: Office, who: Who) -> None:
    automatic = submission("word.example.org", ra="automatic")
    record = office.registration.submit(who("requester"), automatic).certificate
    assert record is not None
    where = CertificateFilter(authority="issuing-ca")
    for word, what in (
        (record.sha256.upper(), "a fingerprint"),
        (record.key_sha256, "the hash of a key"),
        (record.serial, "a serial number"),
        ("word.exam", "the beginning of a name"),
    ):
        meaning = office.certificates.meant(who("auditor"), word, where)
        assert (meaning.what, meaning.where.authority) == (what, "issuing-ca")


def test_searches_are_kept_in_one_form(office: Office, who: Who) -> None:
    me = who("officer1")
    kept = office.filters.save(me, ListName.REQUESTS, "  my  queue ", "?ra=main&cursor=x&state=")
    assert (kept.name, kept.query) == ("my queue", "ra=main")
    assert office.filters.all(me, ListName.REQUESTS) == [kept]
    assert office.filters.all(who("officer2"), ListName.REQUESTS) == []
    for name, query, field in (
        ("", "ra=main", "name"),
        ("x" * (MAX_NAME + 1), "ra=main", "name"),
        ("a\u202eb", "ra=main", "name"),
        ("x", "cursor=1", "query"),
        ("x", "q=" + "x" * 3000, "query"),
    ):
        with pytest.raises(errors.BadRequest) as refusal:
            office.filters.save(me, ListName.REQUESTS, name, query)
        assert refusal.value.field == field
    for number in range(MOST - 1):
        office.filters.save(me, ListName.REQUESTS, f"n{number}", "ra=main")
    with pytest.raises(errors.Conflict):
        office.filters.save(me, ListName.REQUESTS, "one too many", "ra=main")
    office.filters.save(me, ListName.REQUESTS, "my queue", "ra=other")
    office.filters.delete(me, ListName.REQUESTS, "my queue")
    with pytest.raises(errors.NotFound):
        office.filters.delete(me, ListName.REQUESTS, "my queue")
    with pytest.raises(errors.NotAuthenticated):
        office.filters.all(anonymous("192.0.2.7"), ListName.REQUESTS)
