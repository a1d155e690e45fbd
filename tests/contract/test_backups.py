"""What backups need of the record, on each engine: two people's word, and rows that move house."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chancery.adapters.backup.archive import TableHash
from chancery.adapters.storage import SqlStore, open_store
from chancery.adapters.storage.dump import discard, is_empty, restoring, snapshot
from chancery.adapters.storage.revision import newest
from chancery.domain.backup import Backup, BackupState, Consent, Drill, KeyKind
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    CAError,
    Conflict,
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import GRANTS, AuthMethod, Principal, Role, RoleClass, User
from chancery.domain.work import JobState
from chancery.ports import Session
from chancery.ports_backup import MediumFacts
from chancery.services.backup import BackupPlan, BackupService
from chancery.services.backup.desk import DrillReport
from chancery.wire.backup_source import SourceSecret
from services import records

NOW = 1_790_000_000
DAY = 86_400
PUBLIC = str(SourceSecret(b"s" * 32).public())
RECIPIENT = "age1" + "q" * 58
Changed = Callable[[], None]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def s(self) -> int:
        return self.now

    def ms(self) -> int:
        return self.now * 1000


class Medium:
    """A device that is in; nothing is written to it here."""

    def facts(self) -> MediumFacts:
        return MediumFacts("d" * 16, RECIPIENT, "USB", False, True, 0, 2)

    def write(self, *_: object, **__: object) -> None:
        raise AssertionError

    copy = remove = write


def person(name: str, role: Role = Role.CA_OPERATOR, partner: str = "") -> Principal:
    return Principal(
        name, frozenset({role}), frozenset(), GRANTS[role], AuthMethod.TOKEN, partner=partner
    )


OLGA, OSCAR, AUDITOR = (
    person("olga"),
    person("oscar", Role.ADMINISTRATOR),
    person("ada", Role.AUDITOR),
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(store: SqlStore, clock: Clock) -> BackupService:
    counter = itertools.count()
    plan = BackupPlan(keep=2, drill_every_s=30 * DAY)
    return BackupService(
        store,
        Medium(),
        plan,
        clock,
        lambda n: next(counter).to_bytes(n),  # type: ignore[arg-type]
    )


def agreed(desk: BackupService) -> None:
    source = desk.propose_key(OLGA, KeyKind.SOURCE, PUBLIC, threshold=2, shares=3)
    device = desk.propose_key(OLGA, KeyKind.DEVICE, RECIPIENT, device="d" * 16)
    for key in (source, device):
        assert key.state is Consent.PROPOSED
        assert desk.approve_key(OSCAR, key.id).decided_by == "oscar"


def test_nothing_is_done_on_the_word_of_one(desk: BackupService, store: SqlStore) -> None:
    with pytest.raises(Conflict, match="no source key"):
        desk.order(OLGA)
    agreed(desk)
    order = desk.order(OLGA, comment="before the move")
    with store.read() as session:
        assert session.jobs.find(None, "backup", None, 10) == []
    with pytest.raises(NotPermitted) as refused:
        desk.approve_order(OLGA, order.id)
    assert refused.value.rule == "backup.two-people"
    with pytest.raises(NotPermitted):
        desk.approve_order(AUDITOR, order.id)
    with pytest.raises(NotPermitted):  # signed in with the one who proposed it
        desk.approve_order(person("otto", partner="olga"), order.id)
    assert desk.approve_order(OSCAR, order.id).state is Consent.APPROVED
    with store.read() as session:
        (job,) = session.jobs.find(None, "backup", None, 10)
        actions = [record.leaf for record in session.audit.records(0, 100)]
    assert (job.payload, job.state) == (order.id, JobState.WAITING)
    assert b'"backup.order-approved"' in actions[-1]
    with pytest.raises(WrongState):
        desk.approve_order(OSCAR, order.id)
    assert desk.withdraw_order(OLGA, order.id).state is Consent.WITHDRAWN


def test_a_device_that_cannot_be_read_is_told(
    monkeypatch: pytest.MonkeyPatch, desk: BackupService
) -> None:
    """It is not the same as having no place for backups."""

    def altered(_: Medium) -> MediumFacts:
        raise BadRequest("device.json was altered", rule="device.altered")

    assert desk.standing(OLGA).concerns == ()
    monkeypatch.setattr(Medium, "facts", altered)
    standing = desk.standing(OLGA)
    assert (standing.configured, standing.medium) == (True, None)
    assert [one.kind for one in standing.concerns] == ["backup-device"]


def test_two_who_are_signed_in_together_have_agreed(desk: BackupService) -> None:
    agreed(desk)
    order = desk.order(person("olga", partner="oscar"), every_s=DAY)
    assert (order.state, order.decided_by) == (Consent.APPROVED, "oscar")
    assert [one.id for one in desk.orders(AUDITOR)] == [order.id]


NO_KEYS: list[dict[str, object]] = [
    {"public": "no base64"}, {"public": "AAAA"}, {"threshold": 1}, {"shares": 1},
    {"kind": KeyKind.DEVICE}, {"kind": KeyKind.DEVICE, "public": RECIPIENT, "device": "x"},
]  # fmt: skip


def test_keys_that_are_none(desk: BackupService) -> None:
    for change in NO_KEYS:
        given = {"kind": KeyKind.SOURCE, "public": PUBLIC, "threshold": 2, "shares": 3} | change
        with pytest.raises(BadRequest):
            desk.propose_key(OLGA, **given)  # type: ignore[arg-type]


def test_keys_are_known_once_and_found(desk: BackupService) -> None:
    agreed(desk)
    with pytest.raises(AlreadyExists):
        desk.propose_key(OLGA, KeyKind.SOURCE, PUBLIC, threshold=2, shares=3)
    with pytest.raises(NotFound):
        desk.approve_key(OLGA, "nothing")
    with pytest.raises(NotFound):
        desk.show(OLGA, "nothing")
    device = next(one for one in desk.keys(AUDITOR) if one.kind is KeyKind.DEVICE)
    desk.withdraw_key(OLGA, device.id)
    with pytest.raises(Conflict, match="no device key"):
        desk.order(OLGA)


def test_what_is_late_is_said_until_it_is_done(
    desk: BackupService, store: SqlStore, clock: Clock
) -> None:
    assert desk.concerns() == []
    agreed(desk)
    order = desk.order(person("olga", partner="oscar"), every_s=DAY)
    assert desk.concerns() == []
    clock.now += 2 * DAY
    assert [one.kind for one in desk.concerns()] == ["backup-late"]
    failed = Backup(
        "b1", 1, order.id, BackupState.FAILED, clock.now, finished_at=clock.now, failure="full"
    )
    store.write(lambda s: s.backups.add(failed))
    assert [one.kind for one in desk.concerns()] == ["backup-late", "backup-failed"]
    done = replace(failed, id="b2", sequence=2, state=BackupState.DONE, tables={"crl": 2},
                   copies=("/a",), late=("/b",), failure=None)  # fmt: skip
    store.write(lambda s: s.backups.add(done))
    assert [one.kind for one in desk.concerns()] == ["backup-copy"]
    store.write(lambda s: s.backups.update(replace(done, late=())))
    assert desk.find(AUDITOR) == [replace(done, late=()), failed]
    with store.read() as session:
        assert session.backups.next_sequence() == 3
        assert session.backups.last_of(order.id) == replace(done, late=())
    clock.now += 31 * DAY
    assert {one.kind for one in desk.concerns()} == {"backup-late", "drill-old"}
    report = DrillReport(2, "0" * 64, 5, 50, (), 1200)
    bad = desk.record_drill(OLGA, replace(report, findings=("a key is missing",)))
    assert not bad.good
    assert "drill-old" in {one.kind for one in desk.concerns()}
    good = desk.record_drill(OLGA, report)
    assert isinstance(good, Drill)
    assert desk.drills(AUDITOR) == [good, bad]
    standing = desk.standing(AUDITOR)
    assert (standing.last_drill, standing.last) == (good, replace(done, late=()))
    assert "drill-old" not in {one.kind for one in standing.concerns}


def digests(url: str) -> dict[str, bytes]:
    found = {}
    with snapshot(url) as record:
        for table in record.tables:
            whole = TableHash()
            for part in table.rows:
                for row in part:
                    whole.add(row)
            found[table.name] = whole.end().sha256
    return found


USER = User(
    "zoë", "Zoë", "z@example.org", frozenset({Role.AUDITOR}), frozenset(), RoleClass.AUDIT,
    True, None, 0, None, NOW,
)  # fmt: skip


@pytest.fixture
def furnished(store: SqlStore) -> None:
    """Something of each type of column: text, numbers, octets, truth, nothing."""
    request = records.request()
    intent = records.intent(request)
    certificate = records.certificate(request)

    def unit(session: Session) -> None:
        session.identities.add_user(USER)
        session.requests.add([request])
        session.certificates.intend([intent])
        session.certificates.issue([certificate], [intent.id])
        session.audit.append([records.event(text="Zoë \x01")], NOW * 1000)

    store.write(unit)


@pytest.mark.postgres
def test_rows_move_house(
    url: str,
    engine_name: str,
    furnished: None,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """From each engine to the other: the same rows, and a record that opens."""
    there = f"sqlite:///{tmp_path}/there.db"
    if engine_name == "sqlite":
        there = request.getfixturevalue("postgres_server").database()
        assert is_empty(there)
    with restoring(there, newest()) as filled, snapshot(url) as record:
        assert record.log_size > 0
        for table in record.tables:
            filled.begin(table.name, table.columns)
            for part in table.rows:
                filled.add(table.name, table.columns, part)
    assert digests(there) == digests(url)
    with pytest.raises(Conflict, match="an instance already"), restoring(there, newest()):
        pass
    store = open_store(there, clock=Clock())
    try:
        with store.read() as session:
            assert session.audit.size() == len(session.audit.records(0, 1000))
    finally:
        store.close()
    discard(there)
    assert is_empty(there)


def test_a_restore_that_fails_leaves_nothing(tmp_path: Path) -> None:
    there = f"sqlite:///{tmp_path}/there.db"
    for schema, rule in (
        ("9999", "backup.schema-newer"),
        ("1", "backup.schema"),
        ("x" * 4, "backup.schema"),
    ):
        with pytest.raises(BadRequest) as refused, restoring(there, schema):
            pass
        assert refused.value.rule == rule
    with (
        pytest.raises(BadRequest, match="not of the schema"),
        restoring(there, newest()) as filled,
    ):
        filled.begin("certificate", ("id", "nonsense"))
    assert is_empty(there)


def test_an_older_schema_is_brought_up(tmp_path: Path) -> None:
    there = f"sqlite:///{tmp_path}/there.db"
    with restoring(there, "0008") as filled:
        filled.begin("container", ("name", "owner_group", "description"))
        filled.add("container", ("name", "owner_group", "description"), [("main", "g", "d")])
    store = open_store(there, clock=Clock())
    try:
        with store.read() as session:
            assert [one.name for one in session.authorities.containers()] == ["main"]
            assert session.backups.find(None, 10) == []
    finally:
        store.close()


def test_errors_are_in_our_words() -> None:
    with pytest.raises(CAError):
        is_empty("postgresql://nobody@127.0.0.1:1/none")
