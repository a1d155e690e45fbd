"""Who may decide, about what, and what their yes is worth."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cryptography import x509

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import SYSTEM, Principal, anonymous
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.request import Approval, RequestState, Submission
from chancery.ports import Session
from services.csr import p256_csr

Who = Callable[[str], Principal]


def submission(name: str = "www.example.org", **fields: object) -> Submission:
    return replace(Submission("tls-server", ra="main", csr=p256_csr(name).encode()), **fields)


def test_two_people_say_yes_and_it_is_issued(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    assert request.state is RequestState.PENDING

    assert office.decisions.approve(who("officer1"), request.id).state is RequestState.PENDING
    issued = office.decisions.approve(who("officer2"), request.id)

    assert issued.state is RequestState.ISSUED
    der = office.delivery.download(who("requester"), request.id, "der").data
    parsed = x509.load_der_x509_certificate(der)
    # What was approved is what was signed: all of it but the validity, byte for byte.
    assert request.tbs.before in parsed.tbs_certificate_bytes
    assert request.tbs.after in parsed.tbs_certificate_bytes
    assert f"{parsed.serial_number:x}" == request.serial


def test_nobody_approves_twice(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    office.decisions.approve(who("officer1"), request.id)
    with pytest.raises(errors.Conflict, match="another officer must approve") as refusal:
        office.decisions.approve(who("officer1"), request.id)
    assert refusal.value.rule == "approval.once"
    assert refusal.value.remedy


def test_nobody_approves_their_own(office: Office, who: Who) -> None:
    request = office.registration.submit(who("officer1"), submission()).request
    with pytest.raises(errors.NotPermitted) as refusal:
        office.decisions.approve(who("officer1"), request.id)
    assert refusal.value.rule == "approval.not-own"


@pytest.mark.parametrize("name", ["requester", "admin", "operator", "auditor"])
def test_only_officers_decide(office: Office, who: Who, name: str) -> None:
    request = office.registration.submit(who("officer2"), submission()).request
    with pytest.raises(errors.NotPermitted):
        office.decisions.approve(who(name), request.id)
    with pytest.raises(errors.NotPermitted):
        office.decisions.deny(who(name), request.id, "no")


def test_an_officer_of_another_group_does_not_decide(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    stranger = replace(who("officer1"), name="officer9", groups=frozenset({"elsewhere"}))
    with pytest.raises(errors.NotPermitted) as refusal:
        office.decisions.approve(stranger, request.id)
    assert refusal.value.rule == "approval.group"


def test_an_edit_voids_the_approvals(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission("one.example.org")).request
    office.decisions.approve(who("officer1"), request.id)
    edited = office.changes.edit(who("requester"), request.id, submission("two.example.org"))
    assert edited.content_sha256 != request.content_sha256

    with pytest.raises(errors.Conflict) as refusal:
        office.decisions.approve(who("officer2"), request.id, request.content_sha256)
    assert refusal.value.rule == "approval.exact-content"
    after = office.decisions.approve(who("officer2"), request.id, edited.content_sha256)
    assert after.state is RequestState.PENDING  # the first approval no longer counts
    assert office.decisions.approve(who("officer1"), request.id).state is RequestState.ISSUED


def test_a_denial_ends_it_and_gives_its_reason(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    office.decisions.deny(who("officer1"), request.id, "unknown host")
    shown = office.registration.show(who("requester"), request.id).request
    assert (shown.state, shown.decision_reason) == (RequestState.DENIED, "unknown host")
    with pytest.raises(errors.WrongState):
        office.decisions.approve(who("officer2"), request.id)


def test_an_expired_request_is_not_approved(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    late = replace(request, expires_at=office.clock.s() - 1)
    office.store.write(lambda session: session.requests.replace(late))
    with pytest.raises(errors.WrongState) as refusal:
        office.decisions.approve(who("officer1"), request.id)
    assert refusal.value.rule == "request.expired"
    assert office.changes.expire_due() >= 1
    shown = office.registration.show(who("requester"), request.id).request
    assert shown.state is RequestState.EXPIRED


def test_a_flood_of_the_same_approval_counts_once(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission()).request
    officer = who("officer1")

    def approve(_: int) -> bool:
        try:
            office.decisions.approve(officer, request.id)
        except errors.Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(approve, range(100))) == 1


def test_two_officers_at_the_same_moment_issue_once(office: Office, who: Who) -> None:
    officers = [who("officer1"), who("officer2")]
    for number in range(10):
        name = f"race{number}.example.org"
        request = office.registration.submit(who("requester"), submission(name)).request
        with ThreadPoolExecutor(2) as pool:
            states = [
                answer.state
                for answer in pool.map(
                    lambda officer, id_=request.id: office.decisions.approve(officer, id_), officers
                )
            ]
        assert sorted(states) == [RequestState.ISSUED, RequestState.PENDING]


def test_a_changed_profile_does_not_change_what_was_approved(office: Office, who: Who) -> None:
    """Incident I3: the pinned version is issued, whatever the latest says by then."""
    before = office.profiles.show(SYSTEM, "tls-client")
    request = office.registration.submit(
        who("requester"),
        Submission("tls-client", ra="main", csr=p256_csr("c.example.org").encode()),
    ).request
    office.decisions.approve(who("officer1"), request.id)
    office.profiles.put(
        SYSTEM,
        replace(before.profile, description="newer", validity_s=before.profile.validity_s // 2),
    )
    office.decisions.approve(who("officer2"), request.id)
    record = office.certificates.show(SYSTEM, request.serial)
    assert record.profile_sha256 == before.sha256
    assert record.not_after - record.not_before + 1 == before.profile.validity_s


def test_strangers_come_back_with_their_code_alone(office: Office, who: Who) -> None:
    stranger = anonymous("198.51.100.9")
    submitted = office.registration.submit(stranger, submission())
    request_id = submitted.request.id
    assert submitted.code
    assert office.registration.show(stranger, request_id, submitted.code.lower())
    for code in (None, "AAAA-BBBB-CCCC-DDDD"):
        with pytest.raises(errors.NotFound):
            office.registration.show(stranger, request_id, code)
    with pytest.raises(errors.NotFound):
        office.registration.show(who("requester"), request_id)
    with pytest.raises(errors.NotAuthenticated):
        office.registration.submit(stranger, submission(ra="automatic"))


def test_the_same_key_twice_is_one_request(office: Office, who: Who) -> None:
    twice = submission()
    office.registration.submit(who("requester"), twice)
    with pytest.raises(errors.AlreadyExists) as refusal:
        office.registration.submit(who("requester"), twice)
    assert refusal.value.rule == "request.duplicate"


def test_a_key_lost_while_people_thought_fails_the_request(office: Office, who: Who) -> None:
    asked = submission("lost.example.org")
    request = office.registration.submit(who("requester"), asked).request
    office.decisions.approve(who("officer1"), request.id)
    office.store.write(
        lambda session: session.certificates.block_key(request.key_sha256, "lost", 1)
    )
    with pytest.raises(errors.BadKey):
        office.decisions.approve(who("officer2"), request.id)
    shown = office.registration.show(who("requester"), request.id).request
    assert shown.state is RequestState.FAILED
    assert "blocked" in (shown.failure or "")
    office.changes.delete(who("requester"), request.id)


def test_approved_and_then_a_crash_is_issued_later(office: Office, who: Who) -> None:
    """The last approval is durable, and the process dies before there is an intent."""
    request = office.registration.submit(who("requester"), submission("late.example.org")).request
    office.decisions.approve(who("officer1"), request.id)

    def unit(session: Session) -> None:
        session.requests.add_approval(
            Approval(request.id, "officer2", request.content_sha256, office.clock.s())
        )
        session.requests.set_state(
            request.id, RequestState.PENDING, RequestState.APPROVED, decided_at=office.clock.s()
        )

    office.store.write(unit)
    assert office.reconciliation.run(older_than_s=60).signed == 0  # it may be under way
    assert office.reconciliation.run().signed == 1
    shown = office.registration.show(who("requester"), request.id).request
    assert shown.state is RequestState.ISSUED


def test_an_auditor_leaves_no_note(office: Office, who: Who) -> None:
    request = office.registration.submit(who("requester"), submission("note.example.org")).request
    office.changes.add_note(who("requester"), request.id, "for the new host")
    office.changes.add_note(who("officer1"), request.id, "which host?")
    with pytest.raises(errors.NotPermitted):
        office.changes.add_note(who("auditor"), request.id, "hello")


def test_a_submitted_note_is_kept(office: Office, who: Who) -> None:
    asked = submission("noted.example.org", note="for the shop's new host")
    request = office.registration.submit(who("requester"), asked).request
    (note,) = office.registration.show(who("officer1"), request.id).notes
    assert (note.author, note.text) == ("requester", "for the shop's new host")


def test_the_same_key_twice_at_the_same_moment_is_one_request(office: Office, who: Who) -> None:
    twice = submission("same.example.org")
    futures = [office.registration.enqueue(who("requester"), twice) for _ in range(8)]
    answers = [future.exception() for future in futures]
    assert sum(answer is None for answer in answers) == 1
    assert all(isinstance(a, errors.AlreadyExists) for a in answers if a is not None)


def server_made(name: str) -> Submission:
    return Submission(
        "tls-server",
        ra="main",
        server_key="ec-p256",
        subject=(("CN", name),),
        names=(GeneralName(NameKind.DNS, name),),
    )


def gone(office: Office, key_id: str | None) -> bool:
    assert key_id is not None
    try:
        office.vault.key(key_id)
    except errors.NotFound:
        return True
    return False


@pytest.mark.parametrize("how", ["deny", "withdraw", "expire", "edit"])
def test_a_key_made_here_goes_when_nothing_comes_of_it(office: Office, who: Who, how: str) -> None:
    name = f"{how}.example.org"
    request = office.registration.submit(who("requester"), server_made(name)).request
    assert not gone(office, request.server_key_id)
    match how:
        case "deny":
            office.decisions.deny(who("officer1"), request.id, "no")
        case "withdraw":
            office.changes.withdraw(who("requester"), request.id)
        case "expire":
            late = replace(request, expires_at=office.clock.s() - 1)
            office.store.write(lambda session: session.requests.replace(late))
            office.changes.expire_due()
        case "edit":
            after = office.changes.edit(who("requester"), request.id, server_made(name))
            assert not gone(office, after.server_key_id)
    assert gone(office, request.server_key_id)
