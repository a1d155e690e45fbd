"""What the tables themselves refuse, whoever writes the SQL."""

import itertools
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from chancery.adapters.storage import SqlStore
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import AlreadyRevoked, Conflict, NotFound, WrongState
from chancery.domain.identity import CLASS_OF, Group, Role, RoleClass, User
from chancery.domain.request import RequestState
from services import records


def refused(raw: Engine, statement: str, **values: Any) -> None:
    with pytest.raises(IntegrityError), raw.begin() as connection:
        connection.execute(text(statement), values)


def allowed(raw: Engine, statement: str, **values: Any) -> None:
    with raw.begin() as connection:
        assert connection.execute(text(statement), values).rowcount == 1


def issue(store: SqlStore, **changes: Any) -> Any:
    request = records.request(state=RequestState.APPROVED)
    intent, certificate = records.intent(request), records.certificate(request, **changes)

    def work(session: Any) -> None:
        session.requests.add([request])
        session.certificates.intend([intent])
        session.certificates.issue([certificate], [intent.id])

    store.write(work)
    return certificate


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_leaf SET actor = 'nobody'",
        "UPDATE audit_leaf SET seq = 9 WHERE seq = 1",
        "DELETE FROM audit_leaf",
        "DELETE FROM audit_leaf WHERE seq = 1",
        "INSERT INTO audit_leaf SELECT * FROM audit_leaf WHERE seq = 1",
    ],
)
def test_nobody_changes_the_audit_trail(store: SqlStore, raw: Engine, statement: str) -> None:
    store.write(lambda s: s.audit.append([records.event()] * 2, 1))
    refused(raw, statement)


def test_replace_does_not_slip_past_the_guard(store: SqlStore, raw: Engine) -> None:
    if raw.dialect.name != "sqlite":
        pytest.skip("only SQLite has REPLACE")
    store.write(lambda s: s.audit.append([records.event()] * 2, 1))
    refused(
        raw,
        "REPLACE INTO audit_leaf SELECT seq, time_ms, 'x', actor, subject_id, leaf, hash"
        " FROM audit_leaf WHERE seq = 1",
    )
    refused(
        raw,
        "INSERT INTO audit_leaf SELECT seq + 2, time_ms, 'x', actor, subject_id, leaf, hash"
        " FROM audit_leaf WHERE seq = 1",
    )


def test_evidence_is_not_truncated(store: SqlStore, raw: Engine) -> None:
    if raw.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL has TRUNCATE")
    for table in ("audit_leaf", "certificate", "revocation"):
        refused(raw, f"TRUNCATE {table} CASCADE")  # else a reference to it refuses first


def test_a_certificate_never_changes_and_stays_until_it_has_expired(
    store: SqlStore, raw: Engine
) -> None:
    current, expired = issue(store), issue(store, not_after=1_000_000)
    refused(raw, "UPDATE certificate SET subject = 'CN=other' WHERE id = :id", id=current.id)
    refused(raw, "DELETE FROM certificate WHERE id = :id", id=current.id)
    allowed(raw, "DELETE FROM certificate WHERE id = :id", id=expired.id)


def test_a_revocation_stands(store: SqlStore, raw: Engine) -> None:
    certificate = issue(store)
    valid, held = CertificateStatus.VALID, CertificateStatus.HELD
    revoked = CertificateStatus.REVOKED

    def set_status(expected: list[CertificateStatus], status: CertificateStatus) -> None:
        reason = {held: RevocationReason.certificateHold, revoked: RevocationReason.keyCompromise}
        store.write(
            lambda s: s.certificates.set_status(
                certificate.id,
                expected,
                status,
                revoked_at=None if status is valid else records.NOW,
                reason=reason.get(status),
            )
        )

    set_status([valid], held)
    set_status([held], valid)
    with pytest.raises(WrongState):
        set_status([held], revoked)
    set_status([valid, held], revoked)
    with pytest.raises(AlreadyRevoked):
        set_status([valid, held], revoked)
    refused(raw, "DELETE FROM revocation WHERE serial = :serial", serial=certificate.serial)
    refused(raw, "UPDATE revocation SET reason = 4 WHERE serial = :s", s=certificate.serial)
    with store.read() as session:
        stored = session.certificates.get(certificate.id)
        assert stored is not None
        assert (stored.status, stored.reason) == (revoked, RevocationReason.keyCompromise)
        blocked = session.certificates.keys_blocked([certificate.key_sha256, "f" * 64])
        assert blocked == {certificate.key_sha256: "revoked for keyCompromise"}
        answer = session.certificates.status(certificate.authority, certificate.serial)
        assert answer is not None
        assert answer[0] is revoked


def user(name: str, role_class: RoleClass = RoleClass.GENERAL, *roles: Role) -> User:
    return User(
        name, name.title(), f"{name}@example.org", frozenset(roles), frozenset(),
        role_class, False, None, 0, None, records.NOW,
    )  # fmt: skip


def group(name: str, role_class: RoleClass, *roles: Role) -> Group:
    return Group(name, "", frozenset(roles), role_class, frozenset())


MIXED = [
    (first, second)
    for first, second in itertools.permutations(Role, 2)
    if CLASS_OF[first] is not CLASS_OF[second]
]


@pytest.mark.parametrize(("first", "second"), MIXED)
def test_role_classes_never_meet(store: SqlStore, raw: Engine, first: Role, second: Role) -> None:
    """FMT_SMR.2, through the port and then by every raw statement that might get around it."""
    store.write(lambda s: s.identities.add_user(user("ada")))
    store.write(lambda s: s.identities.grant("ada", first))
    with pytest.raises(Conflict):
        store.write(lambda s: s.identities.grant("ada", second))
    other = group("other", CLASS_OF[second], second)
    store.write(lambda s: s.identities.add_group(other))
    with pytest.raises(Conflict):
        store.write(lambda s: s.identities.join("ada", "other"))

    theirs = CLASS_OF[second].value
    insert_role = "INSERT INTO user_role (user_name, role, role_class) VALUES ('ada', :role, :of)"
    refused(raw, insert_role, role=second.value, of=theirs)
    refused(raw, insert_role, role=second.value, of=CLASS_OF[first].value)
    refused(raw, "UPDATE user_role SET role = :role", role=second.value)
    refused(
        raw, "UPDATE user_role SET role = :role, role_class = :of", role=second.value, of=theirs
    )
    refused(raw, "UPDATE user_account SET role_class = :of", of=theirs)
    join = (
        "INSERT INTO group_member (user_name, group_name, role_class) VALUES ('ada', 'other', :of)"
    )
    refused(raw, join, of=theirs)
    refused(raw, join, of=CLASS_OF[first].value)
    insert_group_role = (
        "INSERT INTO group_role (group_name, role, role_class) VALUES ('other', :role, :of)"
    )
    refused(raw, insert_group_role, role=first.value, of=CLASS_OF[first].value)
    refused(raw, insert_group_role, role=first.value, of=theirs)
    refused(raw, "UPDATE user_group SET role_class = :of", of=CLASS_OF[first].value)
    with store.read() as session:
        assert session.identities.user("ada").roles == {first}  # type: ignore[union-attr]


def test_an_account_changes_class_only_while_it_has_no_roles(store: SqlStore) -> None:
    store.write(lambda s: s.identities.add_user(user("ada")))
    store.write(lambda s: s.identities.grant("ada", Role.AUDITOR))
    store.write(lambda s: s.identities.grant("ada", Role.AUDITOR))  # granted is granted
    with store.read() as session:
        assert session.identities.user("ada") == user("ada", RoleClass.AUDIT, Role.AUDITOR)
    with pytest.raises(Conflict):
        store.write(lambda s: s.identities.update_user(user("ada", RoleClass.GENERAL)))
    store.write(lambda s: s.identities.withdraw("ada", Role.AUDITOR))
    store.write(lambda s: s.identities.grant("ada", Role.REQUESTER))
    with store.read() as session:
        assert session.identities.users() == [user("ada", RoleClass.GENERAL, Role.REQUESTER)]


def test_mixed_roles_cannot_be_added_at_once(store: SqlStore) -> None:
    mixed = user("ada", RoleClass.AUDIT, Role.AUDITOR, Role.REQUESTER)
    with pytest.raises(Conflict):
        store.write(lambda s: s.identities.add_user(mixed))
    with pytest.raises(Conflict):
        store.write(
            lambda s: s.identities.add_group(
                group("all", RoleClass.GENERAL, Role.AUDITOR, Role.REQUESTER)
            )
        )
    with store.read() as session:
        assert session.identities.users() == []
        assert session.identities.groups() == []


def test_groups_and_members(store: SqlStore) -> None:
    store.write(lambda s: s.identities.add_user(user("ada")))
    officers = group("officers", RoleClass.GENERAL, Role.RA_OFFICER)
    store.write(lambda s: s.identities.add_group(officers))
    store.write(lambda s: s.identities.join("ada", "officers"))
    store.write(lambda s: s.identities.join("ada", "officers"))
    with store.read() as session:
        assert session.identities.group("officers").members == {"ada"}  # type: ignore[union-attr]
        assert session.identities.user("ada").groups == {"officers"}  # type: ignore[union-attr]
    store.write(lambda s: s.identities.leave("ada", "officers"))
    with store.read() as session:
        assert session.identities.groups() == [officers]
    with pytest.raises(NotFound):
        store.write(lambda s: s.identities.join("ada", "nobody"))
    with pytest.raises(NotFound):
        store.write(lambda s: s.identities.grant("eve", Role.AUDITOR))
    store.write(lambda s: s.identities.join("ada", "officers"))
    store.write(lambda s: s.identities.delete_user("ada"))
    store.write(lambda s: s.identities.delete_group("officers"))
    with store.read() as session:
        assert session.identities.users() == session.identities.groups() == []
