"""The desk behind the enrolment protocols: bindings, transactions, renewals."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind, CredentialState
from chancery.domain.identity import SYSTEM, Principal
from chancery.services.enrolment import Enrolment, Issued, NewCredential
from chancery.wire.general_names import parse
from services.csr import p256_csr

Who = Callable[[str], Principal]
HERE = "192.0.2.9"


@pytest.fixture
def door(office: Office) -> Door:
    label = f"t-{uuid.uuid4().hex[:8]}"
    made = Door(DoorProtocol.SCEP, label, ra="main", profile="tls-server", profiles=("device",))
    return office.doors.service.put(SYSTEM, made)


def one_time(office: Office, door: Door, host: str, by: Principal = SYSTEM) -> Issued:
    binding = Binding(subject=f"CN={host}", names=(parse(f"dns:{host}"),))
    wanted = NewCredential(CredentialKind.ONE_TIME, binding)
    return office.doors.credentials.issue(by, door.name, wanted)


def asking(office: Office, door: Door, host: str, issued: Issued, csr: str = "") -> Enrolment:
    presented = office.doors.credentials.by_secret(door, issued.secret, HERE)
    text = csr or p256_csr(host)
    return Enrolment(host, HERE, uuid.uuid4().hex, csr=text.encode(), credential=presented)


def test_a_one_time_password_enrols_whom_it_is_for_once(office: Office, door: Door) -> None:
    desk, issued = office.doors.desk, one_time(office, door, "a.example.org")
    asked = asking(office, door, "a.example.org", issued)
    first = desk.submit(door, asked)
    assert first.issued
    assert first.request.requester == f"{door.name}/a.example.org"
    assert desk.submit(door, asked) == first  # the answer was lost on its way
    with pytest.raises(errors.NotAuthenticated):
        desk.submit(door, asking(office, door, "a.example.org", issued))
    again = replace(asked, csr=p256_csr("a.example.org").encode())
    with pytest.raises(errors.Conflict) as other:
        desk.submit(door, again)
    assert other.value.rule == "transaction.same"
    spent = office.doors.credentials.show(SYSTEM, issued.credential.id)
    assert spent.state is CredentialState.SPENT


@pytest.mark.parametrize("host", ["admin.example.org", "b.a.example.org"])
def test_whoever_asks_for_another_identity_has_burnt_it(
    office: Office, door: Door, host: str
) -> None:
    issued = one_time(office, door, "a.example.org")
    csr = p256_csr(host)
    with pytest.raises(errors.NotPermitted) as refused:
        office.doors.desk.submit(door, asking(office, door, "a", issued, csr))
    assert refused.value.rule == "credential.binding"
    assert office.doors.credentials.show(SYSTEM, issued.credential.id).state is (
        CredentialState.LOCKED
    )
    with pytest.raises(errors.NotAuthenticated):
        office.doors.credentials.by_secret(door, issued.secret, HERE)


def test_what_policy_refuses_costs_no_use(office: Office, door: Door) -> None:
    binding = Binding()
    wanted = NewCredential(CredentialKind.ONE_TIME, binding)
    issued = office.doors.credentials.issue(SYSTEM, door.name, wanted)
    with pytest.raises(errors.BadRequest):
        office.doors.desk.submit(door, asking(office, door, "x", issued, p256_csr("not a host")))
    good = asking(office, door, "ok.example.org", issued)
    assert office.doors.desk.submit(door, good).issued


def test_a_thousand_repetitions_have_one_effect(office: Office, door: Door) -> None:
    issued = one_time(office, door, "r.example.org")
    asked = asking(office, door, "r.example.org", issued)
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda _: office.doors.desk.submit(door, asked), range(1000)))
    assert len({one.request.id for one in found}) == 1
    assert {one.certificate.serial for one in found if one.certificate} == {found[0].request.serial}


def test_two_people_approve_where_the_door_asks_so(office: Office, door: Door, who: Who) -> None:
    door = office.doors.service.put(SYSTEM, replace(door, approvals=2))
    issued = one_time(office, door, "p.example.org", who("officer1"))
    asked = asking(office, door, "p.example.org", issued)
    desk = office.doors.desk
    waiting = desk.submit(door, asked)
    assert waiting.pending
    assert not waiting.issued
    key = waiting.request.key_sha256
    for officer in ("officer1", "officer2"):
        content = waiting.request.content_sha256
        office.decisions.approve(who(officer), waiting.request.id, content)
    assert desk.standing(door, asked.transaction, key_sha256=key).issued
    with pytest.raises(errors.NotFound):
        desk.standing(door, asked.transaction, key_sha256="0" * 64)


def test_the_holder_of_a_certificate_renews_it_as_it_is(office: Office, door: Door) -> None:
    desk, issued = office.doors.desk, one_time(office, door, "h.example.org")
    first = desk.submit(door, asking(office, door, "h.example.org", issued))
    assert first.certificate is not None
    record = desk.holder(door, first.certificate.der)
    renewal = Enrolment("h", HERE, uuid.uuid4().hex, p256_csr("h.example.org").encode())
    second = desk.submit(door, replace(renewal, renews=record))
    assert second.certificate is not None
    assert second.certificate.renewed_from == record.id
    other = replace(renewal, transaction="other", csr=p256_csr("else.example.org").encode())
    with pytest.raises(errors.BadRequest):
        desk.submit(door, replace(other, renews=record))
    narrow = office.doors.service.put(SYSTEM, replace(door, renew_in_window=True))
    with pytest.raises(errors.WrongState):
        desk.submit(narrow, replace(renewal, transaction="early", renews=record))
    revoked = desk.revoke(door, record, RevocationReason.superseded, "h", HERE)
    assert revoked.status is CertificateStatus.REVOKED
    with pytest.raises(errors.NotAuthenticated):
        desk.holder(door, first.certificate.der)


def test_guesses_lock_and_slow_down(office: Office, door: Door) -> None:
    wanted = NewCredential(
        CredentialKind.USER, reference="plc-7", secret="a long password", uses=None, max_failures=3
    )
    office.doors.credentials.issue(SYSTEM, door.name, wanted)
    check = office.doors.credentials.verify_password
    assert check(door, "plc-7", "a long password", HERE).reference == "plc-7"
    for _ in range(3):
        with pytest.raises(errors.NotAuthenticated):
            check(door, "plc-7", "wrong", HERE)
    with pytest.raises(errors.NotAuthenticated):
        check(door, "plc-7", "a long password", HERE)
    for guess in range(130):
        try:
            office.doors.credentials.by_secret(door, f"guess {guess}", "192.0.2.66")
        except errors.TooOften:
            break
        except errors.NotAuthenticated:
            continue
    else:
        pytest.fail("nobody slowed it down")


def test_traffic_is_noted_and_refusals_are_on_record(office: Office, door: Door) -> None:
    office.doors.desk.seen(door, "PKCSReq", "ok", who="a", origin=HERE)
    office.doors.desk.seen(door, "PKCSReq", "credential.binding", who="b\x00", origin=HERE)
    office.doors.traffic.write()
    found = office.doors.service.traffic(SYSTEM, door.name)
    expected = {("credential.binding", "b?"), ("ok", "a")}
    assert {(one.outcome, one.who) for one in found} == expected
    with office.store.read() as session:
        last = session.audit.records(session.audit.size() - 1, session.audit.size())
    assert last[0].event.action == "scep.refused"


def test_a_door_that_is_shut_or_gone(office: Office, door: Door) -> None:
    office.doors.service.put(SYSTEM, replace(door, enabled=False))
    with pytest.raises(errors.NotFound):
        office.doors.desk.door(DoorProtocol.SCEP, door.label)
    office.doors.service.delete(SYSTEM, door.name)
    with pytest.raises(errors.NotFound):
        office.doors.service.show(SYSTEM, door.name)
    for fault in (
        replace(door, label="Not A Label"),
        replace(door, approvals=99),
        replace(door, ra="nobody"),
        replace(door, profile="subordinate-ca"),
        replace(door, authority="root-ca"),
    ):
        with pytest.raises(errors.BadRequest) as refused:
            office.doors.service.put(SYSTEM, fault)
        assert refused.value.field


def test_a_credential_for_anybody_is_refused_where_that_is_dangerous(
    office: Office, door: Door
) -> None:
    loose = replace(door, profile="user", profiles=())
    office.doors.service.put(SYSTEM, loose)
    wanted = NewCredential(CredentialKind.ONE_TIME)
    with pytest.raises(errors.BadRequest) as refused:
        office.doors.credentials.issue(SYSTEM, door.name, wanted)
    assert refused.value.rule == "credential.unbound"
    bound = replace(wanted, binding=Binding(subject="CN=Ada"))
    office.doors.credentials.issue(SYSTEM, door.name, bound)
    office.doors.service.put(SYSTEM, replace(loose, approvals=1))
    office.doors.credentials.issue(SYSTEM, door.name, wanted)
