"""Versions of policy, accepted risks and counted submissions, on each engine."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from chancery.adapters.storage import SqlStore, open_store
from chancery.adapters.storage.engine import parse_url, writing_engine
from chancery.adapters.storage.upgrading import configuration
from chancery.domain.errors import AlreadyExists
from chancery.domain.ids import new_id
from chancery.domain.policy import AcceptedRisk, PolicyKind, PolicyVersion
from chancery.domain.request import RequestState
from chancery.wire import documents
from services import records

NOW = records.NOW
FIRST = PolicyVersion(PolicyKind.RA, "main", 1, "a" * 64, '{"name":"main"}', NOW, "ada")
RISK = AcceptedRisk(PolicyKind.RA, "main", "esc1", "a lab", "ada", NOW)


def test_versions_stay(store: SqlStore) -> None:
    second = replace(FIRST, version=2, document="{}")
    store.write(lambda s: (s.policy_history.add(second), s.policy_history.add(FIRST)))
    store.write(lambda s: s.policy_history.add(replace(FIRST, kind=PolicyKind.DN_PROFILE)))
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.policy_history.add(FIRST))
    with store.read() as session:
        assert session.policy_history.versions(PolicyKind.RA, "main") == [FIRST, second]
        assert session.policy_history.versions(PolicyKind.RA, "other") == []


def test_what_is_accepted_replaces_what_was(store: SqlStore) -> None:
    other = replace(RISK, risk="wildcard")
    store.write(lambda s: s.policy_history.accept([other, RISK], PolicyKind.RA, "main"))
    with store.read() as session:
        assert session.policy_history.accepted(PolicyKind.RA, "main") == [RISK, other]
    store.write(lambda s: s.policy_history.accept([], PolicyKind.PROFILE, "main"))
    store.write(lambda s: s.policy_history.accept([RISK], PolicyKind.RA, "main"))
    with store.read() as session:
        assert session.policy_history.accepted(PolicyKind.RA, "main") == [RISK]


def test_what_counts_against_a_quota(store: SqlStore) -> None:
    waiting, decided = records.request(), records.request(state=RequestState.ISSUED)
    old = new_id((NOW - 86_400) * 1000, bytes(10))
    store.write(lambda s: s.requests.add([waiting, decided]))
    for request_id in (waiting.id, decided.id, old):
        store.write(lambda s, r=request_id: s.quotas.count("main", "user:rita", r))
    store.write(lambda s: s.quotas.count("main", "user:otto", waiting.id))
    with store.read() as session:
        first = min(waiting.id, decided.id)
        assert session.quotas.since("main", "user:rita", first) == 2
        assert session.quotas.since("main", "user:rita", old) == 3
        assert session.quotas.since("other", "user:rita", old) == 0
        assert session.quotas.open("main", "user:rita") == 1
    later = new_id((NOW + 86_400) * 1000, bytes(10))
    store.write(lambda s: s.quotas.forget("main", "user:rita", later))
    with store.read() as session:  # what still waits counts on
        assert session.quotas.since("main", "user:rita", old) == 1
        assert session.quotas.since("main", "user:otto", old) == 1


def test_an_older_record_keeps_its_group_and_gets_a_first_version(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    old = {
        "name": "closed", "profiles": ["tls"], "authorities": ["issuing"], "approval_group": "g",
        "approvals": 0, "anonymous": False, "submit_group": "staff",
    }  # fmt: skip
    engine = writing_engine(parse_url(empty_url))
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0004")
        connection.execute(
            text("INSERT INTO registration_authority (name, document) VALUES ('closed', :d)"),
            {"d": json.dumps(old)},
        )
        command.upgrade(configuration(connection), "head")
    engine.dispose()
    opened = open_store(empty_url, clock=None)  # type: ignore[arg-type]
    with opened.read() as session:
        ra = session.registrations.get("closed")
        versions = session.policy_history.versions(PolicyKind.RA, "closed")
    opened.close()
    assert ra is not None
    assert ra.submit_groups == ("staff",)
    assert [(v.version, documents.sha256(json.loads(v.document))) for v in versions] == [
        (1, versions[0].sha256)
    ]
