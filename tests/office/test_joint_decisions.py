"""Decisions of two who signed in together: one approval, two people, on record as such."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import SYSTEM, Principal, Role
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import CertificateRequest, RequestState, Submission
from services.csr import p256_csr

Who = Callable[[str], Principal]
PASSWORD = "a passphrase of several words"
PAIR = "pair"
PEOPLE = ("joan", "john", "jean", "jack")


@pytest.fixture(scope="module", autouse=True)
def pair(office: Office) -> None:
    """Four members of a group that decides in twos, and an RA that needs two approvals of it."""
    office.identity.groups.create(SYSTEM, PAIR, roles=[Role.RA_OFFICER], logins_required=2)
    for name in PEOPLE:
        office.identity.users.create(SYSTEM, name, roles=[Role.REQUESTER], password=PASSWORD)
        office.identity.groups.add_member(SYSTEM, PAIR, name)
    office.ras.put(
        SYSTEM,
        RegistrationAuthority(
            name="paired",
            profiles=("tls-server",),
            authorities=("issuing-ca",),
            approval_group=PAIR,
            approvals=2,
            anonymous=False,
        ),
    )


def alone(office: Office, name: str) -> Principal:
    opened = office.identity.sessions.begin(name, PASSWORD, "192.0.2.7")
    found = office.identity.sessions.resume(opened.cookie, "192.0.2.7")
    assert found is not None
    return found.principal


def together(office: Office, first: str, second: str) -> Principal:
    opened = office.identity.sessions.begin(first, PASSWORD, "192.0.2.7")
    joint = office.identity.sessions.join_begin(opened.cookie, second, PASSWORD, "192.0.2.7")
    found = office.identity.sessions.resume(joint.cookie, "192.0.2.7")
    assert found is not None
    return found.principal


def submit(office: Office, principal: Principal, name: str) -> CertificateRequest:
    submission = Submission("tls-server", ra="paired", csr=p256_csr(name).encode())
    return office.registration.submit(principal, submission).request


def test_two_pairs_are_two_approvals(office: Office, who: Who) -> None:
    request = submit(office, who("requester"), "pairs.example.org")
    first = office.decisions.approve(together(office, "joan", "john"), request.id)
    assert first.state is RequestState.PENDING
    issued = office.decisions.approve(together(office, "jean", "jack"), request.id)
    assert issued.state is RequestState.ISSUED

    with office.store.read() as session:
        approvals = session.requests.approvals(request.id)
        events = session.audit.find(subject_id=request.id, action="request.approved")
    assert {(a.approver, a.partner) for a in approvals} == {("joan", "john"), ("jean", "jack")}
    assert [(e.event.actor, e.event.details["partner"]) for e in events] == [
        ("jean", "jack"), ("joan", "john"),
    ]  # fmt: skip


def test_one_alone_does_not_decide(office: Office, who: Who) -> None:
    request = submit(office, who("requester"), "alone.example.org")
    with pytest.raises(errors.NotPermitted):
        office.decisions.approve(alone(office, "joan"), request.id)
    with pytest.raises(errors.NotPermitted):
        office.decisions.deny(alone(office, "joan"), request.id, "no")


@pytest.mark.parametrize(
    "second",
    [("john", "joan"), ("joan", "jean"), ("jean", "joan"), ("john", "jack"), ("jack", "john")],
)
def test_neither_half_counts_again(office: Office, who: Who, second: tuple[str, str]) -> None:
    request = submit(office, who("requester"), f"{'-'.join(second)}.example.org")
    office.decisions.approve(together(office, "joan", "john"), request.id)
    with pytest.raises(errors.Conflict) as refusal:
        office.decisions.approve(together(office, *second), request.id)
    assert refusal.value.rule == "approval.once"
    with office.store.read() as session:
        assert len(session.requests.approvals(request.id)) == 1


@pytest.mark.parametrize("halves", [("joan", "john"), ("john", "joan")])
def test_the_requester_approves_as_neither_half(office: Office, halves: tuple[str, str]) -> None:
    request = submit(office, alone(office, "joan"), f"own-{halves[0]}.example.org")
    with pytest.raises(errors.NotPermitted) as refusal:
        office.decisions.approve(together(office, *halves), request.id)
    assert refusal.value.rule == "approval.not-own"
    assert office.decisions.approve(together(office, "jean", "jack"), request.id)


def test_who_asked_together_approves_with_nobody(office: Office) -> None:
    request = submit(office, together(office, "joan", "john"), "both.example.org")
    with pytest.raises(errors.NotPermitted) as refusal:
        office.decisions.approve(together(office, "john", "jean"), request.id)
    assert refusal.value.rule == "approval.not-own"
    assert office.decisions.approve(together(office, "jean", "jack"), request.id)


def test_a_partner_the_door_made_up_is_in_no_group(office: Office, who: Who) -> None:
    request = submit(office, who("requester"), "made-up.example.org")
    with pytest.raises(errors.NotPermitted):
        office.decisions.approve(replace(alone(office, "joan"), partner="john"), request.id)


def test_an_ra_asks_for_no_more_approvals_than_there_are_pairs(office: Office) -> None:
    with pytest.raises(errors.BadRequest, match="who approve in twos") as refusal:
        office.ras.put(
            SYSTEM,
            RegistrationAuthority(
                name="too-many",
                profiles=("tls-server",),
                authorities=("issuing-ca",),
                approval_group=PAIR,
                approvals=3,
                anonymous=False,
            ),
        )
    assert refusal.value.rule == "ra.approvers"
