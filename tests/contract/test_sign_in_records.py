"""Sessions and second factors on record, on either engine."""

from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command

from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.adapters.storage.engine import parse_url, writing_engine
from chancery.adapters.storage.upgrading import configuration
from chancery.domain.errors import AlreadyExists, Conflict, NotFound, WrongState
from chancery.domain.identity import Group, Role, RoleClass, User
from chancery.domain.request import Approval
from chancery.domain.web_session import Passkey, Proof, SessionState, TotpSecret, WebSession
from services import records

NOW = records.NOW


@pytest.fixture(autouse=True)
def people(store: SqlStore) -> None:
    for name in ("rita", "oscar", "otto"):
        store.write(lambda s, name=name: s.identities.add_user(user(name)))  # type: ignore[misc]


def user(name: str) -> User:
    return User(
        name, name, "", frozenset(), frozenset(), RoleClass.GENERAL, False, None, 0, None, NOW
    )


def session(number: int, name: str = "rita", **changes: object) -> WebSession:
    made = WebSession(
        id=f"id-{number}",
        sha256=f"{number:064x}",
        user=name,
        state=SessionState.OPEN,
        methods=(Proof.PASSWORD, Proof.PASSKEY),
        csrf="c" * 64,
        origin="2001:db8::1",
        agent="Mozilla/5.0 (Zoë)",
        created_at=NOW,
        seen_at=NOW,
        ends_at=NOW + 43_200,
        proven_at=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_sessions_come_out_as_they_went_in(store: SqlStore) -> None:
    joint = session(
        1,
        partner="oscar",
        partner_methods=(Proof.CERTIFICATE,),
        partner_proven_at=NOW + 1,
        joining="otto",
        challenge="ab" * 32,
        challenge_until=NOW + 120,
    )
    store.write(lambda s: s.web_sessions.add(joint))
    store.write(lambda s: s.web_sessions.add(session(2)))
    with store.read() as read:
        assert read.web_sessions.by_cookie(joint.sha256) == joint
        assert read.web_sessions.by_cookie("0" * 64) is None
        assert read.web_sessions.get("id-2") == session(2)
        assert read.web_sessions.of("rita") == [session(2), joint]
        assert read.web_sessions.of("oscar") == [joint]
        assert read.web_sessions.of("otto") == [joint]


def test_one_cookie_is_one_session(store: SqlStore) -> None:
    store.write(lambda s: s.web_sessions.add(session(1)))
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.web_sessions.add(session(2, sha256=session(1).sha256)))


def test_a_session_is_replaced_by_who_holds_its_cookie(store: SqlStore) -> None:
    first = session(1)
    store.write(lambda s: s.web_sessions.add(first))
    moved = replace(first, sha256="f" * 64, state=SessionState.NEEDS_FACTOR)
    store.write(lambda s: s.web_sessions.replace(moved, first.sha256))
    with pytest.raises(WrongState):
        store.write(lambda s: s.web_sessions.replace(first, first.sha256))
    with store.read() as read:
        assert read.web_sessions.by_cookie(first.sha256) is None
        assert read.web_sessions.get("id-1") == moved


def test_it_is_only_ever_seen_later(store: SqlStore) -> None:
    store.write(lambda s: s.web_sessions.add(session(1)))
    for now in (NOW + 60, NOW + 30):
        store.write(lambda s, now=now: s.web_sessions.touch("id-1", now))  # type: ignore[misc]
    store.write(lambda s: s.web_sessions.touch("none", NOW))
    with store.read() as read:
        found = read.web_sessions.get("id-1")
    assert found is not None
    assert found.seen_at == NOW + 60


def test_ending_and_what_is_over(store: SqlStore) -> None:
    for made in (session(1, seen_at=NOW - 10), session(2), session(3, ends_at=NOW + 5)):
        store.write(lambda s, made=made: s.web_sessions.add(made))  # type: ignore[misc]
    with store.read() as read:
        assert read.web_sessions.expired(NOW, NOW - 5, 10) == ["id-1"]
        assert sorted(read.web_sessions.expired(NOW + 5, NOW - 5, 10)) == ["id-1", "id-3"]
        assert len(read.web_sessions.expired(NOW + 5, NOW - 5, 1)) == 1
    store.write(lambda s: s.web_sessions.end(["id-1", "none"]))
    store.write(lambda s: s.web_sessions.end([]))
    with store.read() as read:
        assert [web.id for web in read.web_sessions.of("rita")] == ["id-3", "id-2"]


def test_everybodys_newest_first(store: SqlStore) -> None:
    for number, name in ((1, "rita"), (2, "oscar"), (3, "rita")):
        store.write(lambda s, n=number, w=name: s.web_sessions.add(session(n, w)))  # type: ignore[misc]
    with store.read() as read:
        assert [web.id for web in read.web_sessions.recent(None, 2)] == ["id-3", "id-2"]
        assert [web.id for web in read.web_sessions.recent("id-2", 2)] == ["id-1"]


@pytest.mark.parametrize("who", ["rita", "oscar", "otto"])
def test_a_session_goes_with_any_account_in_it(store: SqlStore, who: str) -> None:
    joint = session(1, partner="oscar", joining="otto")
    store.write(lambda s: s.web_sessions.add(joint))
    store.write(lambda s: s.identities.delete_user(who))
    with store.read() as read:
        assert read.web_sessions.get("id-1") is None


def test_a_session_of_nobody_cannot_be(store: SqlStore) -> None:
    with pytest.raises(Conflict):
        store.write(lambda s: s.web_sessions.add(session(1, "nobody")))


def test_totp_secrets(store: SqlStore) -> None:
    pending = TotpSecret("rita", b"\x00sealed\xff", confirmed=False, created_at=NOW)
    confirmed = replace(pending, confirmed=True, last_step=7)
    for secret in (pending, confirmed, replace(confirmed, sealed=b"again")):
        store.write(lambda s, secret=secret: s.factors.put_totp(secret))  # type: ignore[misc]
    with store.read() as read:
        assert read.factors.totp("rita", confirmed=False) == pending
        assert read.factors.totp("rita") == replace(confirmed, sealed=b"again")
        assert read.factors.totp("oscar") is None
    assert [
        store.write(lambda s, step=step: s.factors.use_step("rita", step))  # type: ignore[misc]
        for step in (7, 8, 8, 6, 10)
    ] == [False, True, False, False, True]
    assert not store.write(lambda s: s.factors.use_step("oscar", 1))
    store.write(lambda s: s.factors.drop_totp("rita", confirmed=True))
    with store.read() as read:
        assert read.factors.totp("rita") is None
        assert read.factors.totp("rita", confirmed=False) == pending


def test_passkeys(store: SqlStore) -> None:
    first = Passkey("AAA", "rita", "blue", b"\xa5\x00", 0, ("internal", "usb"), True, NOW)
    second = replace(first, id="BBB", label="red", transports=(), synced=False, created_at=NOW + 1)
    store.write(lambda s: s.factors.add_passkey(second))
    store.write(lambda s: s.factors.add_passkey(first))
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.factors.add_passkey(replace(first, user="oscar")))
    store.write(lambda s: s.factors.use_passkey("AAA", 4_294_967_295, NOW + 9))
    store.write(lambda s: s.factors.rename_passkey("BBB", "green"))
    with store.read() as read:
        assert read.factors.passkeys("rita") == [
            replace(first, sign_count=4_294_967_295, last_used_at=NOW + 9),
            replace(second, label="green"),
        ]
        assert read.factors.passkeys("oscar") == []
    store.write(lambda s: s.factors.drop_passkey("AAA"))
    with pytest.raises(NotFound):
        store.write(lambda s: s.factors.drop_passkey("AAA"))
    with pytest.raises(NotFound):
        store.write(lambda s: s.factors.rename_passkey("AAA", "x"))


def test_recovery_codes(store: SqlStore) -> None:
    store.write(lambda s: s.factors.set_recovery_codes("rita", ["a" * 64, "b" * 64]))
    store.write(lambda s: s.factors.set_recovery_codes("oscar", ["a" * 64]))
    assert store.write(lambda s: s.factors.use_recovery_code("rita", "a" * 64, NOW))
    assert not store.write(lambda s: s.factors.use_recovery_code("rita", "a" * 64, NOW))
    assert not store.write(lambda s: s.factors.use_recovery_code("rita", "c" * 64, NOW))
    with store.read() as read:
        assert read.factors.recovery_codes_left("rita") == 1
        assert read.factors.recovery_codes_left("oscar") == 1
    store.write(lambda s: s.factors.set_recovery_codes("rita", []))
    with store.read() as read:
        assert read.factors.recovery_codes_left("rita") == 0


def test_factors_go_with_the_account(store: SqlStore) -> None:
    store.write(lambda s: s.factors.put_totp(TotpSecret("rita", b"x", True, NOW)))
    store.write(lambda s: s.factors.set_recovery_codes("rita", ["a" * 64]))
    store.write(lambda s: s.factors.add_passkey(Passkey("A", "rita", "k", b"", 0, (), False, NOW)))
    store.write(lambda s: s.identities.delete_user("rita"))
    with store.read() as read:
        assert read.factors.totp("rita") is None
        assert read.factors.passkeys("rita") == []
        assert read.factors.recovery_codes_left("rita") == 0


def test_groups_say_how_many_must_sign_in(store: SqlStore) -> None:
    pair = Group("pair", "", frozenset({Role.RA_OFFICER}), RoleClass.GENERAL, frozenset(), 2)
    store.write(lambda s: s.identities.add_group(pair))
    with store.read() as read:
        assert read.identities.group("pair") == pair
        assert read.identities.groups() == [pair]
    changed = replace(pair, description="two of us", logins_required=1)
    store.write(lambda s: s.identities.update_group(changed))
    with store.read() as read:
        assert read.identities.group("pair") == changed
    with pytest.raises(NotFound):
        store.write(lambda s: s.identities.update_group(replace(pair, name="none")))


def test_passwords_say_whether_they_must_be_changed(store: SqlStore) -> None:
    store.write(
        lambda s: s.identities.update_user(replace(user("rita"), must_change_password=True))
    )
    with store.read() as read:
        found = read.identities.user("rita")
    assert found is not None
    assert found.must_change_password


def test_approvals_of_two(store: SqlStore) -> None:
    request = records.request()
    store.write(lambda s: s.requests.add([request]))
    yes = Approval(request.id, "rita", request.content_sha256, NOW, "oscar")
    store.write(lambda s: s.requests.add_approval(yes))
    alone = Approval(request.id, "otto", request.content_sha256, NOW + 1)
    store.write(lambda s: s.requests.add_approval(alone))
    with store.read() as read:
        assert read.requests.approvals(request.id) == [yes, alone]
    assert yes.people == {"rita", "oscar"}


def test_accounts_and_groups_of_before_are_as_they_were(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    engine = writing_engine(parse_url(empty_url))
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        connection.exec_driver_sql(
            "INSERT INTO user_account (name, display_name, email, role_class, disabled,"
            f" failed_logins, created_at) VALUES ('rita', 'Rita', '', 'general', false, 0, {NOW})"
        )
        connection.exec_driver_sql(
            "INSERT INTO user_group (name, description, role_class) VALUES ('old', '', 'general')"
        )
        connection.exec_driver_sql(
            "INSERT INTO group_member (user_name, group_name, role_class)"
            " VALUES ('rita', 'old', 'general')"
        )
    engine.dispose()
    migrate(empty_url)
    opened = open_store(empty_url, clock=None)  # type: ignore[arg-type]
    with opened.read() as read:
        found, group = read.identities.user("rita"), read.identities.group("old")
    opened.close()
    assert found is not None
    assert (found.must_change_password, found.groups) == (False, {"old"})
    assert group is not None
    assert (group.logins_required, group.members) == (1, {"rita"})
