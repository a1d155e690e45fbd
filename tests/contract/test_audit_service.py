"""What the audit service promises, over a record in memory and every death of its publisher."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain import merkle
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.audit import AuditEvent, AuditRecord, Outcome, leaf_bytes, leaf_hash
from chancery.domain.errors import (
    BadRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooLarge,
    Unavailable,
    WrongState,
)
from chancery.domain.identity import (
    GRANTS,
    SYSTEM,
    AuthMethod,
    Principal,
    Role,
    anonymous,
)
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.services.audit import AuditService, AuditTampered, event
from chancery.wire import note, tiles

ORIGIN = "ca.example/audit"


def principal(role: Role) -> Principal:
    roles = frozenset({role})
    return Principal("pat", roles, frozenset(), GRANTS[role], AuthMethod.PASSWORD, "192.0.2.1")


AUDITOR = principal(Role.AUDITOR)


class Trail:
    """``ports.AuditTrail``, and Session and Store around it."""

    def __init__(self) -> None:
        self.leaves: list[AuditRecord] = []

    @property
    def audit(self) -> "Trail":
        return self

    @contextmanager
    def read(self) -> Iterator["Trail"]:
        yield self

    def append(self, events: Sequence[AuditEvent], now_ms: int) -> int:
        first = len(self.leaves)
        for seq, one in enumerate(events, first):
            leaf = leaf_bytes(seq, now_ms, one)
            self.leaves.append(AuditRecord(seq, now_ms, leaf, leaf_hash(leaf)))
        return first

    def size(self) -> int:
        return len(self.leaves)

    def records(self, start: int, end: int) -> list[AuditRecord]:
        return self.leaves[start:end]

    def find(self, *, actor: str | None = None, limit: int = 100, **_: Any) -> list[AuditRecord]:
        found = [one for one in reversed(self.leaves) if actor in {None, one.event.actor}]
        return found[:limit]


class Vault:
    """The two methods of ``ports.KeyVault`` that an audit log needs."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.signed: list[note.Checkpoint] = []
        self.away = False

    def key(self, key_id: str) -> KeyInfo:
        spki = self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return KeyInfo(key_id, KeyAlgorithm.ED25519, KeyPurpose.AUDIT, spki, 0)

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        if self.away:
            raise Unavailable("the signer is away")
        self.signed.append(note.parse_checkpoint(text.decode()))
        return self.private.sign(text)


class Killed(BaseException):
    """Like kill -9: nothing after it runs."""


class Shelf:
    """``ports.Publisher`` in memory, that dies before step *dies_at* (None: never)."""

    def __init__(self, files: dict[str, bytes] | None = None, dies_at: int | None = None) -> None:
        self.files = {} if files is None else files
        self.dies_at = dies_at
        self.steps = 0

    def _step(self) -> None:
        if self.steps == self.dies_at:
            raise Killed
        self.steps += 1

    def publish(self, name: str, data: bytes) -> None:
        self._step()
        self.files[name] = data

    def publish_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        shuffled = list(files)
        random.Random(len(shuffled)).shuffle(shuffled)  # "in no particular order"
        for name, data in shuffled:
            self.publish(name, data)

    def published(self, name: str) -> bytes | None:
        return self.files.get(name)

    def discard(self, directory: str) -> None:
        self._step()
        for name in [name for name in self.files if name.startswith(directory + "/")]:
            del self.files[name]


class Clock:
    def ms(self) -> int:
        return 1_700_000_000_000

    def s(self) -> int:
        return self.ms() // 1000


class Office:
    """A service and what it stands on; restarts keep the record and the files."""

    def __init__(self) -> None:
        self.trail, self.vault, self.shelf = Trail(), Vault(), Shelf()
        self.service = self.start()

    def start(self, dies_at: int | None = None) -> AuditService:
        self.shelf = Shelf(self.shelf.files, dies_at)
        self.service = AuditService(
            self.trail,  # type: ignore[arg-type]
            self.vault,  # type: ignore[arg-type]
            "audit",
            ORIGIN,
            self.shelf,
            Clock(),
        )
        return self.service

    def record(self, count: int, actor: str = "pat") -> None:
        now = 1_600_000_000_000 + self.trail.size()
        who = replace(SYSTEM, name=actor)
        self.trail.append([event(who, "request.submitted", f"r{n}") for n in range(count)], now)

    def forget(self, size: int) -> None:
        """Roll the database back."""
        del self.trail.leaves[size:]

    def check(self, size: int) -> None:
        """The published log is that of the first *size* records, file for file."""
        records = self.trail.leaves[:size]
        root = merkle.root([record.hash for record in records])
        signed = self.shelf.files[tiles.CHECKPOINT]
        opened = note.open_note(signed, self.service.verifier_key())
        assert note.parse_checkpoint(opened) == note.Checkpoint(ORIGIN, size, root)
        frontier = merkle.Frontier()
        rows = {
            (row.level, row.index): row.hashes
            for row in frontier.extend([record.hash for record in records])
        }
        for tile in tiles.changed(0, size):
            hashes = rows.get((tile.level, tile.index), frontier.row(tile.level))
            assert self.shelf.files[tile.path] == b"".join(hashes)
            if tile.level == 0:
                entries = tiles.decode_bundle(self.shelf.files[tile.entries_path], tile)
                first = tile.index * 256
                assert entries == [r.leaf for r in records[first : first + tile.width]]


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize("steps", [[0], [1], [1, 1], [255, 1, 1], [256], [257, 600], [70_000, 3]])
def test_a_checkpoint_covers_every_record(office: Office, steps: list[int]) -> None:
    for step in steps:
        office.record(step)
        office.service.checkpoint()
        office.check(office.trail.size())


def test_a_checkpoint_stands_until_there_is_more(office: Office) -> None:
    office.record(3)
    first = office.service.checkpoint()

    assert office.service.checkpoint() == first
    assert office.start().checkpoint() == first
    assert len(office.vault.signed) == 1


@pytest.mark.parametrize(("covered", "more"), [(0, 1), (5, 3), (200, 100), (256, 256), (300, 700)])
def test_killed_at_any_step(covered: int, more: int) -> None:
    """Death before each write, then a restart: one log, never two, and all of it covered."""
    step = 0
    while True:
        office = Office()
        office.record(covered)
        office.service.checkpoint()
        office.record(more)
        try:
            office.start(dies_at=step).checkpoint()
            break
        except Killed:
            step += 1
        office.record(2)  # life goes on before somebody restarts it
        office.start().checkpoint()
        office.check(covered + more + 2)
        leaves = [record.hash for record in office.trail.leaves]
        for signed in office.vault.signed:  # whatever was ever signed is a beginning of the log
            assert signed.root == merkle.root(leaves[: signed.size])
        full = {f"tile/0/{n:03d}.p" for n in range((covered + more + 2) // 256)}
        assert not [name for name in office.shelf.files if name.rpartition("/")[0] in full]
    assert step >= 3


def test_killed_again_and_again(office: Office) -> None:
    rng = random.Random(5)
    for _ in range(300):
        office.record(rng.randrange(200))
        try:
            office.start(dies_at=rng.randrange(12)).checkpoint()
        except Killed:
            continue
        office.check(office.trail.size())
    office.start().checkpoint()
    office.check(office.trail.size())


def test_a_failure_inside_leaves_the_service_usable(office: Office) -> None:
    office.record(300)
    office.vault.away = True
    with pytest.raises(Unavailable):
        office.service.checkpoint()
    office.record(1)
    office.vault.away = False
    office.service.checkpoint()

    office.check(301)


def shrunk(office: Office) -> None:
    office.forget(office.trail.size() - 1)


def regrown(office: Office) -> None:
    size = office.trail.size()
    office.forget(size - 40)
    office.record(40, actor="mallory")


def regrown_longer(office: Office) -> None:
    office.forget(office.trail.size() - 40)
    office.record(90, actor="mallory")


def last_leaf_changed(office: Office) -> None:
    record = office.trail.leaves[-1]
    leaf = record.leaf.replace(b"pat", b"pax")
    office.trail.leaves[-1] = replace(record, leaf=leaf, hash=leaf_hash(leaf))


def hash_does_not_match(office: Office) -> None:
    office.record(2)
    office.trail.leaves[-1] = replace(office.trail.leaves[-1], hash=bytes(32))


def gap(office: Office) -> None:
    office.record(3)
    del office.trail.leaves[-2]


def time_runs_back(office: Office) -> None:
    office.trail.append([event(SYSTEM, "service.started", "node")], 5)


def older_tiles(office: Office) -> None:
    tile = tiles.edge(office.trail.size())[0]
    office.shelf.files[tile.path] = bytes(32) * tile.width


def missing_tile(office: Office) -> None:
    del office.shelf.files[tiles.edge(office.trail.size())[0].path]


def checkpoint_of_another_key(office: Office) -> None:
    text = note.Checkpoint(ORIGIN, 1, bytes(32)).text()
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    office.shelf.files["checkpoint"] = note.sign_note(
        text, office.service.verifier_key(), stranger.sign(text.encode())
    )


def checkpoint_of_another_log(office: Office) -> None:
    text = note.Checkpoint("other.example", 1, bytes(32)).text()
    office.shelf.files["checkpoint"] = note.sign_note(
        text, office.service.verifier_key(), office.vault.private.sign(text.encode())
    )


def checkpoint_gone_and_history_rewritten(office: Office) -> None:
    del office.shelf.files["checkpoint"]
    office.forget(0)
    office.record(400, actor="mallory")


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    "tamper",
    [
        shrunk,
        regrown,
        regrown_longer,
        last_leaf_changed,
        hash_does_not_match,
        gap,
        time_runs_back,
        older_tiles,
        missing_tile,
        checkpoint_of_another_key,
        checkpoint_of_another_log,
        checkpoint_gone_and_history_rewritten,
    ],
)
@pytest.mark.parametrize("size", [300, 512])
def test_refuses_to_sign(
    office: Office, tamper: Callable[[Office], None], size: int, *, restarted: bool
) -> None:
    office.record(size)
    office.service.checkpoint()
    if size == 512 and tamper in {older_tiles, missing_tile}:
        office.record(1)
        office.service.checkpoint()
    before = len(office.vault.signed)
    tamper(office)
    if restarted:
        office.start()
    elif tamper in {older_tiles, missing_tile}:
        office.record(1)

    for _ in range(2):  # and stays with it
        with pytest.raises(AuditTampered, match="not what it was"):
            office.service.checkpoint()
    assert len(office.vault.signed) == before


def test_two_services_over_one_record(office: Office) -> None:
    """A second node with the same directory: each builds on the other's checkpoint."""
    other = AuditService(
        office.trail,  # type: ignore[arg-type]
        office.vault,  # type: ignore[arg-type]
        "audit",
        ORIGIN,
        office.shelf,
        Clock(),
    )
    for turn in range(20):
        office.record(40)
        (office.service if turn % 2 else other).checkpoint()
        office.check(office.trail.size())


def test_an_inclusion_proof_stands_by_itself(office: Office) -> None:
    office.record(300)
    office.service.checkpoint()
    for seq in (0, 255, 256, 299):
        proof = office.service.inclusion(AUDITOR, seq)
        text = note.open_note(str(proof["checkpoint"]).encode(), office.service.verifier_key())
        checkpoint = note.parse_checkpoint(text)
        nodes = proof["proof"]
        assert isinstance(nodes, list)
        merkle.verify_inclusion(
            leaf_hash(str(proof["leaf"]).encode()),
            seq,
            checkpoint.size,
            [bytes.fromhex(node) for node in nodes],
            checkpoint.root,
        )


def test_what_cannot_be_proven_is_said(office: Office) -> None:
    office.record(1)
    with pytest.raises(WrongState):
        office.service.inclusion(AUDITOR, 0)
    with pytest.raises(NotFound):
        office.service.published_checkpoint()
    office.service.checkpoint()
    office.record(1)
    with pytest.raises(WrongState):
        office.service.inclusion(AUDITOR, 1)
    for seq in (2, -1, 2**70):
        with pytest.raises(NotFound):
            office.service.inclusion(AUDITOR, seq)
    assert office.service.published_checkpoint().startswith(ORIGIN.encode())


def test_a_changed_record_is_not_vouched_for(office: Office) -> None:
    office.record(10)
    office.service.checkpoint()
    last_leaf_changed(office)

    with pytest.raises(AuditTampered, match="record 9"):
        office.service.inclusion(AUDITOR, 9)


def test_standing(office: Office) -> None:
    assert office.service.standing().recorded == 0
    office.record(3)
    standing = office.service.standing()
    assert (standing.recorded, standing.covered) == (3, 0)
    assert standing.waiting_ms == 100_000_000_000
    office.service.checkpoint()
    standing = office.service.standing()
    assert (standing.covered, standing.waiting_ms) == (3, 0)


def test_only_auditors_read(office: Office) -> None:
    office.record(2)
    assert [one.seq for one in office.service.search(AUDITOR, actor="pat", limit=1)] == [1]
    assert office.service.record(AUDITOR, 0).seq == 0
    for role in set(Role) - {Role.AUDITOR}:
        with pytest.raises(NotPermitted):
            office.service.search(principal(role))
        with pytest.raises(NotPermitted):
            office.service.inclusion(principal(role), 0)
    with pytest.raises(NotAuthenticated):
        office.service.record(anonymous("192.0.2.1"), 0)
    with pytest.raises(BadRequest):
        office.service.search(AUDITOR, limit=0)


def test_an_event_names_who_and_whence() -> None:
    made = event(AUDITOR, "login.failed", "pat", outcome=Outcome.FAILURE, why="bad password")

    assert made == AuditEvent(
        "login.failed",
        "pat",
        "password",
        "192.0.2.1",
        "pat",
        Outcome.FAILURE,
        {"why": "bad password"},
    )


def test_an_event_that_no_leaf_can_hold_is_refused() -> None:
    event(AUDITOR, "request.denied", "r", reason="x" * 65_000)
    with pytest.raises(TooLarge):
        event(AUDITOR, "request.denied", "r", reason="x" * 65_535)
    with pytest.raises(BadRequest, match="Unicode"):
        event(AUDITOR, "request.denied", "r", reason="\ud800")
    for value in (1.5, b"octets", {1: "one"}, object()):
        with pytest.raises(TypeError, match="bug"):
            event(AUDITOR, "request.denied", "r", value=value)
