"""Accounts, roles and groups: separation of duties, and never without an administrator."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import PASSWORD, SteppedClock

from chancery.adapters.storage import SqlStore
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    CAError,
    Conflict,
    NotAuthenticated,
    NotFound,
    NotPermitted,
)
from chancery.domain.identity import CLASS_OF, SYSTEM, Permission, Principal, Role
from chancery.domain.registration import RegistrationAuthority
from chancery.services.identity import IdentityService
from chancery.services.identity.changes import has_administrator


@pytest.fixture
def ada(identity: IdentityService) -> Principal:
    return identity.authenticate_password("ada", PASSWORD, "192.0.2.7")


MIXED = [(a, b) for a in Role for b in Role if CLASS_OF[a] is not CLASS_OF[b]]
HOLDERS = {
    Role.ADMINISTRATOR: "ada",
    Role.CA_OPERATOR: "olga",
    Role.RA_OFFICER: "oscar",
    Role.AUDITOR: "audrey",
    Role.REQUESTER: "rita",
}


@pytest.mark.parametrize(("held", "wanted"), MIXED)
def test_no_identity_of_two_classes(
    identity: IdentityService, ada: Principal, held: Role, wanted: Role
) -> None:
    for attempt in (
        lambda: identity.users.grant(ada, HOLDERS[held], wanted),
        lambda: identity.users.create(ada, "both", roles=[held, wanted]),
        lambda: identity.groups.create(ada, "both", roles=[held, wanted]),
    ):
        with pytest.raises(Conflict) as refused:
            attempt()
        assert refused.value.rule == "FMT_SMR.2"


@pytest.mark.parametrize(("held", "wanted"), MIXED)
def test_nor_through_a_group(
    identity: IdentityService, ada: Principal, held: Role, wanted: Role
) -> None:
    identity.groups.create(ada, "band", roles=[wanted])
    with pytest.raises(Conflict) as refused:
        identity.groups.add_member(ada, "band", HOLDERS[held])
    assert refused.value.rule == "FMT_SMR.2"


def test_the_database_alone_would_refuse_too(identity: IdentityService, store: SqlStore) -> None:
    with pytest.raises(Conflict):
        store.write(lambda session: session.identities.grant("ada", Role.AUDITOR))


def test_an_account_without_duties_may_take_up_any(
    identity: IdentityService, ada: Principal
) -> None:
    identity.users.create(ada, "newcomer")
    identity.users.grant(ada, "newcomer", Role.AUDITOR)
    identity.users.withdraw(ada, "newcomer", Role.AUDITOR)
    assert identity.users.grant(ada, "newcomer", Role.REQUESTER).roles == {Role.REQUESTER}


def test_group_roles_reach_its_members_and_leave_with_them(
    identity: IdentityService, ada: Principal
) -> None:
    identity.groups.create(ada, "officers", roles=[Role.RA_OFFICER])
    identity.groups.add_member(ada, "officers", "rita")
    member = identity.authenticate_password("rita", PASSWORD, "192.0.2.7")
    assert member.roles == {Role.REQUESTER, Role.RA_OFFICER}
    assert member.groups == {"officers"}
    assert Permission.REQUEST_DECIDE in member.permissions

    identity.groups.remove_member(ada, "officers", "rita")
    former = identity.authenticate_password("rita", PASSWORD, "192.0.2.7")
    assert Permission.REQUEST_DECIDE not in former.permissions


@pytest.mark.parametrize(
    "attempt",
    [
        lambda identity, ada: identity.users.edit(ada, "ada", disabled=True),
        lambda identity, ada: identity.users.delete(ada, "ada"),
        lambda identity, ada: identity.users.withdraw(ada, "ada", Role.ADMINISTRATOR),
    ],
    ids=["disable", "delete", "withdraw"],
)
def test_the_last_administrator_stays(identity: IdentityService, ada: Principal, attempt) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Conflict) as refused:
        attempt(identity, ada)
    assert refused.value.rule == "identity.last-administrator"
    assert identity.authenticate_password("ada", PASSWORD, "192.0.2.7").roles

    identity.users.create(ada, "second", roles=[Role.ADMINISTRATOR])
    attempt(identity, ada)


def test_an_administrator_by_group_counts_and_stays(
    identity: IdentityService, ada: Principal
) -> None:
    identity.groups.create(ada, "board", roles=[Role.ADMINISTRATOR])
    identity.groups.add_member(ada, "board", "rita")
    identity.users.withdraw(ada, "ada", Role.ADMINISTRATOR)
    rita = identity.authenticate_password("rita", PASSWORD, "192.0.2.7")
    for attempt in (
        lambda: identity.groups.remove_member(rita, "board", "rita"),
        lambda: identity.groups.delete(rita, "board"),
        lambda: identity.users.edit(rita, "rita", disabled=True),
    ):
        with pytest.raises(Conflict, match="no administrator"):
            attempt()


def test_a_refused_change_leaves_no_trace(
    identity: IdentityService, ada: Principal, store: SqlStore
) -> None:
    with store.read() as session:
        before = session.audit.size()
    with pytest.raises(Conflict):
        identity.users.delete(ada, "ada")
    with store.read() as session:
        assert session.audit.size() == before


def test_each_change_is_one_record(
    identity: IdentityService, ada: Principal, store: SqlStore
) -> None:
    with store.read() as session:
        before = session.audit.size()
    identity.users.create(ada, "newcomer", roles=[Role.REQUESTER])
    identity.users.edit(ada, "newcomer", disabled=True)
    identity.users.edit(ada, "newcomer", disabled=False, email="n@example.org")
    identity.users.grant(ada, "newcomer", Role.RA_OFFICER)
    identity.users.withdraw(ada, "newcomer", Role.RA_OFFICER)
    identity.users.unlock(ada, "newcomer")
    identity.users.set_password(ada, "newcomer", PASSWORD)
    identity.groups.create(ada, "band")
    identity.groups.add_member(ada, "band", "newcomer")
    identity.groups.remove_member(ada, "band", "newcomer")
    identity.groups.delete(ada, "band")
    identity.users.delete(ada, "newcomer")
    with store.read() as session:
        records = session.audit.records(before, session.audit.size())
    assert [record.event.action for record in records] == [
        "account.created", "account.disabled", "account.enabled", "role.granted",
        "role.withdrawn", "account.unlocked", "password.changed", "group.created",
        "group.joined", "group.left", "group.deleted", "account.deleted",
    ]  # fmt: skip
    assert {record.event.actor for record in records} == {"ada"}
    assert not any(PASSWORD.encode() in record.leaf for record in records)


@pytest.mark.parametrize("name", ["olga", "oscar", "audrey", "rita"])
def test_only_administrators_change_anything(identity: IdentityService, name: str) -> None:
    who = identity.authenticate_password(name, PASSWORD, "192.0.2.7")
    for attempt in (
        lambda: identity.users.create(who, "newcomer"),
        lambda: identity.users.edit(who, "rita", email="x@example.org"),
        lambda: identity.users.delete(who, "rita"),
        lambda: identity.users.grant(who, name, Role.ADMINISTRATOR),
        lambda: identity.users.withdraw(who, "ada", Role.ADMINISTRATOR),
        lambda: identity.users.unlock(who, name),
        lambda: identity.users.set_password(who, "ada", "a new long passphrase", PASSWORD),
        lambda: identity.groups.create(who, "band"),
        lambda: identity.groups.delete(who, "band"),
        lambda: identity.groups.add_member(who, "band", name),
        lambda: identity.groups.remove_member(who, "band", name),
        lambda: identity.certificates.bind(who, name, b""),
        lambda: identity.certificates.unbind(who, name, "00"),
    ):
        with pytest.raises(NotPermitted):
            attempt()


def test_names_are_taken_once_and_have_a_syntax(identity: IdentityService, ada: Principal) -> None:
    with pytest.raises(AlreadyExists):
        identity.users.create(ada, "rita")
    for name in ("", "Rita", "system", "anonymous", "unknown", "a b", "-x", "x" * 65, "a/b", "a\n"):
        with pytest.raises(BadRequest):
            identity.users.create(ada, name)
    with pytest.raises(NotFound):
        identity.users.show(ada, "nobody")


def test_a_group_in_use_stays(identity: IdentityService, ada: Principal, store: SqlStore) -> None:
    identity.groups.create(ada, "officers")
    ra = RegistrationAuthority("default", (), (), "officers", 1, anonymous=False)
    store.write(lambda session: session.registrations.put(ra))
    with pytest.raises(Conflict) as refused:
        identity.groups.delete(ada, "officers")
    assert refused.value.rule == "identity.group-in-use"


def client_certificate(not_after: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Rita")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(not_after - timedelta(days=1)).not_valid_after(not_after)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_bound_certificate_opens_the_account_until_it_ends(
    identity: IdentityService, ada: Principal, clock: SteppedClock
) -> None:
    end = datetime.fromtimestamp(clock.now, UTC) + timedelta(hours=1)
    pem = client_certificate(end)
    bound = identity.certificates.bind(ada, "rita", pem)
    assert identity.authenticate_certificate(bound.sha256, "192.0.2.7").name == "rita"
    assert identity.certificates.of(ada, "rita") == [bound]

    with pytest.raises(Conflict):
        identity.certificates.bind(ada, "oscar", pem)
    with pytest.raises(NotFound):
        identity.certificates.unbind(ada, "oscar", bound.sha256)

    clock.now += 3601
    with pytest.raises(NotAuthenticated):
        identity.authenticate_certificate(bound.sha256, "192.0.2.7")


def test_an_unbound_certificate_opens_nothing(
    identity: IdentityService, ada: Principal, clock: SteppedClock
) -> None:
    end = datetime.fromtimestamp(clock.now, UTC) + timedelta(hours=1)
    bound = identity.certificates.bind(ada, "rita", client_certificate(end))
    identity.certificates.unbind(ada, "rita", bound.sha256)
    with pytest.raises(NotAuthenticated):
        identity.authenticate_certificate(bound.sha256, "192.0.2.7")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_binding_garbage_is_a_bad_request(
    identity: IdentityService, ada: Principal, data: bytes
) -> None:
    with pytest.raises(BadRequest):
        identity.certificates.bind(ada, "rita", data)


Step = tuple[str, str, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "withdraw", "join", "leave", "disable", "enable"]),
        st.sampled_from(["ada", "olga", "audrey", "rita"]),
        st.sampled_from([role.value for role in Role]),
    ),
    max_size=25,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_no_sequence_of_changes_reaches_a_forbidden_state(
    identity: IdentityService, store: SqlStore, steps: list[Step]
) -> None:
    """T18: whatever is granted, withdrawn, joined: one class each, and an administrator left."""
    for role in Role:
        with contextlib.suppress(AlreadyExists):
            identity.groups.create(SYSTEM, f"all-{role.value}", roles=[role])
    for what, name, role in steps:
        try:
            match what:
                case "grant":
                    identity.users.grant(SYSTEM, name, Role(role))
                case "withdraw":
                    identity.users.withdraw(SYSTEM, name, Role(role))
                case "join":
                    identity.groups.add_member(SYSTEM, f"all-{role}", name)
                case "leave":
                    identity.groups.remove_member(SYSTEM, f"all-{role}", name)
                case "disable" | "enable":
                    identity.users.edit(SYSTEM, name, disabled=what == "disable")
        except CAError:
            pass
    with store.read() as session:
        assert has_administrator(session)
        groups = {group.name: group for group in session.identities.groups()}
        for user in session.identities.users():
            held = user.roles.union(*(groups[name].roles for name in user.groups))
            assert len({CLASS_OF[role] for role in held}) <= 1


@pytest.mark.parametrize("email", ["not an email", "a@", "@b", "a@b c", "a\nb@example.org", "x"])
def test_an_email_is_one_or_nothing(identity: IdentityService, ada: Principal, email: str) -> None:
    for change in (
        lambda: identity.users.create(ada, "bob", email=email),
        lambda: identity.users.edit(ada, "rita", email=email),
    ):
        with pytest.raises(BadRequest) as refusal:
            change()
        assert (refusal.value.field, refusal.value.rule) == ("email", "email.syntax")
        assert refusal.value.remedy
    assert identity.users.edit(ada, "rita", email="rita@example.org").email == "rita@example.org"
    assert identity.users.edit(ada, "rita", email="").email == ""
