"""Accounts that others vouch for, and sign-ins that are at a provider: on both engines."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from chancery.adapters.storage import SqlStore
from chancery.domain.directory import Purpose, SignInFlow, Vouched
from chancery.domain.errors import Conflict
from chancery.domain.identity import RoleClass, User
from services.records import NOW

FLOW = SignInFlow("f" * 64, "okta", "nonce", "verifier", "/console", Purpose.JOIN, NOW)


def user(name: str, directory: str | None = "corp") -> User:
    return User(
        name, name, "", frozenset(), frozenset(), RoleClass.GENERAL, False, None, 0, None, NOW,
        directory=directory,
    )  # fmt: skip


def test_an_account_stands_for_one_person_and_a_person_has_one_account(store: SqlStore) -> None:
    alice = Vouched("alice@corp", "corp", "uuid-1", "alice", NOW)
    store.write(lambda s: s.identities.add_user(user("alice@corp")))
    store.write(lambda s: s.identities.add_user(user("bob@corp")))
    store.write(lambda s: s.vouched.put(alice))
    with pytest.raises(Conflict):
        store.write(lambda s: s.vouched.put(replace(alice, user="bob@corp")))
    with pytest.raises(Conflict):  # nobody of that name
        store.write(lambda s: s.vouched.put(replace(alice, user="carol@corp", subject="3")))
    later = replace(alice, login="alice.smith", vouched_at=NOW + 1)
    store.write(lambda s: s.vouched.put(later))
    with store.read() as session:
        assert session.identities.user("alice@corp") == user("alice@corp")
        assert session.vouched.find("corp", "uuid-1") == later
        assert session.vouched.find("other", "uuid-1") is None
        assert session.vouched.of("alice@corp") == later
        assert session.vouched.of("bob@corp") is None
        assert session.vouched.all("corp") == [later]
    store.write(lambda s: s.identities.delete_user("alice@corp"))
    with store.read() as session:
        assert session.vouched.find("corp", "uuid-1") is None


def test_the_database_itself_refuses_a_second_password(store: SqlStore, raw: Engine) -> None:
    store.write(lambda s: s.identities.add_user(user("alice@corp")))
    with pytest.raises(Conflict):
        store.write(
            lambda s: s.identities.update_user(replace(user("alice@corp"), password_hash="$argon2"))
        )
    with pytest.raises(IntegrityError), raw.begin() as connection:
        connection.execute(text("UPDATE user_account SET password_hash = 'x'"))


def test_a_flow_is_handed_out_once(store: SqlStore) -> None:
    store.write(lambda s: s.vouched.begin(FLOW))
    with pytest.raises(Conflict):
        store.write(lambda s: s.vouched.begin(FLOW))
    with ThreadPoolExecutor(8) as pool:
        taken = list(
            pool.map(lambda _: store.write(lambda s: s.vouched.take(FLOW.sha256)), range(8))
        )
    assert [flow for flow in taken if flow] == [FLOW]


def test_flows_that_nobody_came_back_from_go(store: SqlStore) -> None:
    store.write(lambda s: s.vouched.begin(FLOW))
    store.write(lambda s: s.vouched.drop_flows(NOW))
    store.write(lambda s: s.vouched.begin(replace(FLOW, sha256="e" * 64, begun_at=NOW - 1)))
    store.write(lambda s: s.vouched.drop_flows(NOW))
    assert store.write(lambda s: s.vouched.take("e" * 64)) is None
    assert store.write(lambda s: s.vouched.take(FLOW.sha256)) == FLOW
