"""Whoever tampers with the log is found out: thousands of times, by the stand-alone verifier.

CHANCERY_TAMPERS sets how many random tampers are tried (10,000 before a release).
"""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from chancery import audit_verifier
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.storage import migrate, open_store
from chancery.audit_verifier import Report
from chancery.domain.certificate import (
    CertificateRecord,
    CertificateStatus,
    Intent,
    RevocationReason,
)
from chancery.domain.identity import SYSTEM
from chancery.ports import Session
from chancery.services.audit import AuditService, event
from chancery.signer.journal import Draft, Journal, Operation
from chancery.wire import note

pytestmark = pytest.mark.fault

ORIGIN = "ca.example/audit"
NOW_MS = 1_800_000_000_000
SIZE = 579  # signed records of the scene: two full rows and one of 67
TAMPERS = int(os.environ.get("CHANCERY_TAMPERS", "800"))
Tamper = Callable[["Copy", random.Random], None]


class Vault:
    """Signs checkpoints, and keeps them in the signer's journal as the real one does."""

    def __init__(self, journal: Journal) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self._journal = journal

    def key(self, key_id: str) -> Any:
        public = self.private.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return SimpleNamespace(spki=spki, key_id=key_id)

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        origin, size, root = text.decode().split("\n")[:3]
        detail = {"checkpoint": f"{size} {root} {origin}"}
        self._journal.append([Draft(Operation.CHECKPOINT, key_id, detail=detail)])
        return self.private.sign(text)


CA_KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Issuing CA")])


def certificate(serial: int) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .serial_number(serial)
        .issuer_name(NAME)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"host {serial}")]))
        .public_key(CA_KEY.public_key())
        .not_valid_before(datetime(2027, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 3, 1, tzinfo=UTC))
        .sign(CA_KEY, hashes.SHA256(), ecdsa_deterministic=True)
    )


class Instance:
    """An instance directory as the parts of the server make it, small."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "data").mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{home}/data/chancery.db"
        migrate(url)
        self.clock = SimpleNamespace(ms=lambda: NOW_MS, s=lambda: NOW_MS // 1000)
        self.store = open_store(url, clock=self.clock)
        self.journal = Journal(home / "journal", now_ms=lambda: NOW_MS)
        self.audit = AuditService(
            self.store,
            Vault(self.journal),  # type: ignore[arg-type]
            "audit",
            ORIGIN,
            DirectoryPublisher(home / "audit"),
            self.clock,
        )
        (home / "audit.vkey").write_text(f"{self.audit.verifier_key()}\n")

    def record(self, count: int) -> None:
        events = [
            event(SYSTEM, "login.succeeded", f"user{n}", via="password") for n in range(count)
        ]
        self.store.write(lambda session: session.audit.append(events, NOW_MS))

    def issue(self, serial: int) -> None:
        made = certificate(serial)
        self.intend(serial, made.tbs_certificate_bytes)
        self.sign(serial, made)
        der = made.public_bytes(Encoding.DER)
        record = CertificateRecord(
            id=f"c{serial:x}",
            authority="issuing",
            serial=f"{serial:x}",
            subject=f"CN=host {serial}",
            names=(),
            not_before=1,
            not_after=2,
            key_sha256="00",
            sha256=hashlib.sha256(der).hexdigest(),
            profile="tls-server",
            profile_sha256="00",
            request_id=f"r{serial:x}",
            requester="pat",
            der=der,
            issued_at=NOW_MS // 1000,
        )
        what = {"authority": "issuing", "serial": record.serial, "sha256": record.sha256}
        said = event(SYSTEM, "certificate.issued", f"issuing/{record.serial}", **what)

        def unit(session: Session) -> None:
            session.certificates.issue([record], [f"i{serial:x}"])
            session.audit.append([said], NOW_MS)

        self.store.write(unit)

    def intend(self, serial: int, tbs: bytes) -> None:
        intent = Intent(
            f"i{serial:x}", "issuing", "ca", f"{serial:x}", tbs, f"r{serial:x}", "00", "00", 1
        )
        self.store.write(lambda session: session.certificates.intend([intent]))

    def sign(self, serial: int, made: x509.Certificate) -> None:
        draft = Draft(
            Operation.CERTIFICATE,
            "ca",
            serial=f"{serial:x}",
            tbs_sha256=hashlib.sha256(made.tbs_certificate_bytes).digest(),
            signature=made.signature,
            intent_id=f"i{serial:x}",
        )
        self.journal.append([draft])

    def abandon(self, serial: int) -> None:
        said = event(
            SYSTEM,
            "certificate.abandoned",
            f"issuing/{serial:x}",
            authority="issuing",
            serial=f"{serial:x}",
        )

        def unit(session: Session) -> None:
            session.certificates.abandon(f"i{serial:x}", NOW_MS // 1000)
            session.audit.append([said], NOW_MS)

        self.store.write(unit)

    def status(self, serial: int, action: str, reason: RevocationReason | None) -> None:
        what: dict[str, Any] = {"authority": "issuing", "serial": f"{serial:x}"}
        if reason is not None:
            what |= {"reason": reason.name, "revoked_at": NOW_MS // 1000}
        status = {
            "revoked": CertificateStatus.REVOKED,
            "held": CertificateStatus.HELD,
            "released": CertificateStatus.VALID,
        }[action]

        def unit(session: Session) -> None:
            session.certificates.set_status(
                f"c{serial:x}",
                [CertificateStatus.VALID, CertificateStatus.HELD],
                status,
                revoked_at=None if reason is None else NOW_MS // 1000,
                reason=reason,
                invalidity_date=None,
            )
            said = event(SYSTEM, f"certificate.{action}", f"issuing/{serial:x}", **what)
            session.audit.append([said], NOW_MS)

        self.store.write(unit)

    def close(self) -> None:
        self.store.close()
        self.journal.close()
        database = sqlite3.connect(self.home / "data" / "chancery.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = DELETE")  # one file, as in a copy
        database.close()


@dataclass
class Copy:
    """A copy of the instance to tamper with."""

    home: Path

    @property
    def log(self) -> Path:
        return self.home / "audit"

    def database(self) -> sqlite3.Connection:
        """Without its triggers: whoever tampers with a database drops them first."""
        database = sqlite3.connect(self.home / "data" / "chancery.db", isolation_level=None)
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        return database

    def sql(self, statement: str, *values: Any) -> None:
        database = self.database()
        assert database.execute(statement, values).rowcount, "nothing to tamper with"
        database.close()


@dataclass
class Scene:
    """The instance, its state at an earlier time, and what the auditor keeps elsewhere."""

    home: Path
    earlier: Path
    key: Path
    anchor: Path  # the checkpoint of that earlier time
    scratch: Path

    def copy(self) -> Copy:
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.copytree(self.home, self.scratch)
        return Copy(self.scratch)

    def verify(self, copy: Copy, *anchors: Path) -> Report:
        return audit_verifier.verify(copy.home, self.key, anchors)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """579 signed records and 3 more; 40 certificates; statuses and intents of every kind."""
    place = tmp_path_factory.mktemp("audit")
    scene = Scene(*(place / name for name in ("home", "earlier", "vkey", "anchor", "scratch")))
    instance = Instance(scene.home)
    for serial in range(0x1000, 0x1014):
        instance.issue(serial)
        instance.record(13)
    instance.record(20)
    instance.audit.checkpoint()
    instance.close()
    shutil.copytree(scene.home, scene.earlier)
    shutil.copy(scene.home / "audit" / "checkpoint", scene.anchor)
    shutil.copy(scene.home / "audit.vkey", scene.key)
    instance = Instance(scene.home)
    for serial in range(0x1014, 0x1028):
        instance.issue(serial)
        instance.record(12)
    instance.status(0x1001, "revoked", RevocationReason.keyCompromise)
    instance.status(0x1002, "held", RevocationReason.certificateHold)
    instance.status(0x1003, "held", RevocationReason.certificateHold)
    instance.status(0x1003, "released", None)
    instance.status(0x1004, "held", RevocationReason.certificateHold)
    instance.status(0x1004, "revoked", RevocationReason.superseded)
    instance.intend(0x2000, certificate(0x2000).tbs_certificate_bytes)
    instance.abandon(0x2000)
    instance.intend(0x2001, certificate(0x2001).tbs_certificate_bytes)
    instance.sign(0x2001, certificate(0x2001))  # signed, outcome open: a crash between the two
    instance.record(12)
    instance.audit.checkpoint()
    instance.record(3)
    instance.close()
    return scene


def codes(report: Report) -> set[str]:
    return {finding["code"] for finding in report.findings}


def test_what_nobody_touched_is_sound(scene: Scene) -> None:
    report = scene.verify(scene.copy(), scene.anchor)

    assert report.findings == []
    assert report.skipped == []
    assert report.size == SIZE
    assert report.counts == {
        "records": SIZE,
        "records not covered": 3,
        "certificates": 40,
        "intents abandoned": 1,
        "intents uncertain": 1,
        "journal records": 44,
        "checkpoints not published": 0,
    }


def test_the_tiles_alone_are_enough(scene: Scene) -> None:
    copy = scene.copy()
    shutil.rmtree(copy.home / "data")
    shutil.rmtree(copy.home / "journal")
    report = scene.verify(copy, scene.anchor)

    assert report.ok
    assert report.skipped == ["journal", "database"]
    assert audit_verifier.verify(copy.log, scene.key).ok


# -- files: every one the checkpoint names, in every way --


def _named(copy: Copy, pattern: str, rng: random.Random) -> Path:
    """A file that the standing checkpoint covers; partial files of older ones it does not."""
    names = {
        "entries": ["000", "001", "002.p/67"],
        "0": ["000", "001", "002.p/67"],
        "1": ["000.p/2"],
    }
    if pattern == "checkpoint":
        return copy.log / "checkpoint"
    level = rng.choice(["entries"] if pattern == "entries" else ["0", "1"])
    return copy.log / "tile" / level / rng.choice(names[level])


def _pick(copy: Copy, rng: random.Random) -> Path:
    return _named(copy, rng.choice(["entries", "tile", "checkpoint"]), rng)


def flip_a_bit(copy: Copy, rng: random.Random) -> None:
    path = _pick(copy, rng)
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(copy: Copy, rng: random.Random) -> None:
    path = _pick(copy, rng)
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def lengthen(copy: Copy, rng: random.Random) -> None:
    path = _pick(copy, rng)
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.choice([1, 2, 32, 64])))


def remove(copy: Copy, rng: random.Random) -> None:
    _pick(copy, rng).unlink()


def _rewrite(copy: Copy, rng: random.Random, change: Callable[[list[bytes]], None]) -> None:
    """Change the items of a bundle or a tile and write it as a log would."""
    path = _named(copy, rng.choice(["entries", "tile"]), rng)
    data = path.read_bytes()
    bundle = "entries" in path.parts
    items, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2]) if bundle else at + 32
        items.append(data[at:end])
        at = end
    before = list(items)
    change(items)
    if items == before:  # two equal items changed places, say
        items.pop()
    path.write_bytes(b"".join(items))


def drop(copy: Copy, rng: random.Random) -> None:
    _rewrite(copy, rng, lambda items: items.pop(rng.randrange(len(items))) and None)


def insert(copy: Copy, rng: random.Random) -> None:
    _rewrite(copy, rng, lambda items: items.insert(rng.randrange(len(items)), rng.choice(items)))


def swap(copy: Copy, rng: random.Random) -> None:
    def change(items: list[bytes]) -> None:
        a, b = rng.randrange(len(items)), rng.randrange(len(items))
        items[a], items[b] = items[b], items[a]

    _rewrite(copy, rng, change)


# -- rows of the database --


def _some(copy: Copy, rng: random.Random) -> int:
    return rng.randrange(SIZE)


def flip_a_bit_in_a_row(copy: Copy, rng: random.Random) -> None:
    column = rng.choice(["leaf", "hash"])
    seq = _some(copy, rng)
    database = copy.database()
    (value,) = database.execute(f"SELECT {column} FROM audit_leaf WHERE seq = ?", (seq,)).fetchone()
    changed = bytearray(value)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    database.execute(f"UPDATE audit_leaf SET {column} = ? WHERE seq = ?", (bytes(changed), seq))
    database.close()


def change_what_is_searched(copy: Copy, rng: random.Random) -> None:
    column = rng.choice(["action", "actor", "subject_id", "time_ms"])
    copy.sql(f"UPDATE audit_leaf SET {column} = 'mallory' WHERE seq = ?", _some(copy, rng))


def delete_a_row(copy: Copy, rng: random.Random) -> None:
    copy.sql("DELETE FROM audit_leaf WHERE seq = ?", _some(copy, rng))


def delete_a_row_and_close_the_gap(copy: Copy, rng: random.Random) -> None:
    seq = _some(copy, rng)
    copy.sql("DELETE FROM audit_leaf WHERE seq = ?", seq)
    copy.sql("UPDATE audit_leaf SET seq = -seq WHERE seq > ?", seq)
    copy.sql("UPDATE audit_leaf SET seq = -seq - 1 WHERE seq < 0")
    copy.sql("UPDATE audit_head SET size = size - 1")


def swap_rows(copy: Copy, rng: random.Random) -> None:
    a, b = rng.sample(range(SIZE), 2)
    copy.sql("UPDATE audit_leaf SET seq = -1 WHERE seq = ?", a)
    copy.sql("UPDATE audit_leaf SET seq = ? WHERE seq = ?", a, b)
    copy.sql("UPDATE audit_leaf SET seq = ? WHERE seq = -1", b)


def truncate_rows(copy: Copy, rng: random.Random) -> None:
    seq = _some(copy, rng)
    copy.sql("DELETE FROM audit_leaf WHERE seq >= ?", seq)
    copy.sql("UPDATE audit_head SET size = ?", seq)


def insert_a_row(copy: Copy, rng: random.Random) -> None:
    seq = _some(copy, rng)
    copy.sql("UPDATE audit_leaf SET seq = -seq - 2 WHERE seq >= ?", seq)
    copy.sql("UPDATE audit_leaf SET seq = -seq - 1 WHERE seq < 0")
    copy.sql(
        "INSERT INTO audit_leaf SELECT ?, time_ms, action, actor, subject_id, leaf, hash"
        " FROM audit_leaf WHERE seq = ?",
        seq,
        rng.choice([n for n in range(SIZE) if n != seq]),
    )
    copy.sql("UPDATE audit_head SET size = size + 1")


def rewrite_history(copy: Copy, rng: random.Random) -> None:
    """All but the signature: the leaf in bundle and database, and every tile above it."""
    seq = _some(copy, rng)
    tree = audit_verifier.Tree()
    for index, name in enumerate(["000", "001", "002.p/67"]):
        path = copy.log / "tile" / "entries" / name
        data, rest = b"", path.read_bytes()
        first = tree.size
        hashes_ = []
        while rest:
            end = 2 + int.from_bytes(rest[:2])
            leaf, rest = rest[2:end], rest[end:]
            if tree.size == seq:
                fields = json.loads(leaf) | {"actor": "somebody else"}
                leaf = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
                digest = hashlib.sha256(b"\0" + leaf).digest()
                copy.sql(
                    "UPDATE audit_leaf SET actor = 'somebody else', leaf = ?, hash = ? WHERE seq = ?",
                    leaf,
                    digest,
                    seq,
                )
            hashes_.append(hashlib.sha256(b"\0" + leaf).digest())
            tree.append(hashes_[-1])
            data += len(leaf).to_bytes(2) + leaf
        path.write_bytes(data)
        (copy.log / "tile" / "0" / name).write_bytes(b"".join(hashes_))
        assert first == index * 256
    (copy.log / "tile" / "1" / "000.p" / "2").write_bytes(b"".join(tree.full))


# -- the journal --


def damage_the_journal(copy: Copy, rng: random.Random) -> None:
    (path,) = (copy.home / "journal").glob("*.journal")
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def drop_a_journal_record(copy: Copy, rng: random.Random) -> None:
    (path,) = (copy.home / "journal").glob("*.journal")
    data, records = path.read_bytes(), []
    while data:
        end = 36 + int.from_bytes(data[:4])
        records.append(data[:end])
        data = data[end:]
    del records[rng.randrange(len(records) - 1)]
    path.write_bytes(b"".join(records))


RANDOM_TAMPERS: list[Tamper] = [
    *[flip_a_bit] * 4,
    truncate,
    lengthen,
    remove,
    drop,
    insert,
    swap,
    *[flip_a_bit_in_a_row] * 3,
    change_what_is_searched,
    delete_a_row,
    delete_a_row_and_close_the_gap,
    swap_rows,
    truncate_rows,
    insert_a_row,
    rewrite_history,
    damage_the_journal,
    drop_a_journal_record,
]


@pytest.mark.parametrize("worker", range(4))
def test_every_random_tamper_is_found(scene: Scene, worker: int) -> None:
    rng = random.Random(worker)
    for number in range(TAMPERS // 4):
        tamper = rng.choice(RANDOM_TAMPERS)
        copy = scene.copy()
        tamper(copy, rng)
        report = scene.verify(copy)
        assert not report.ok, f"{tamper.__name__}, number {number} of worker {worker}"
        assert all(finding["where"] and finding["what"] for finding in report.findings)


# -- rollbacks, and books that do not balance: each by name --


def roll_back(*parts: str) -> Callable[[Copy, Scene], None]:
    def tamper(copy: Copy, scene: Scene) -> None:
        for part in parts:
            shutil.rmtree(copy.home / part)
            shutil.copytree(scene.earlier / part, copy.home / part)

    return tamper


def statement(sql: str, *values: Any) -> Callable[[Copy, Scene], None]:
    return lambda copy, _: copy.sql(sql, *values)


def sign_outside_the_database(copy: Copy, _: Scene) -> None:
    journal = Journal(copy.home / "journal", now_ms=lambda: NOW_MS)
    Instance.sign(SimpleNamespace(journal=journal), 0x6666, certificate(0x6666))  # type: ignore[arg-type]
    journal.close()


def other_signature(copy: Copy, _: Scene) -> None:
    """The same TBSCertificate, signed again: ECDSA gives another signature."""
    der = certificate(0x1005).public_bytes(Encoding.DER)
    changed = der[:-1] + bytes([der[-1] ^ 1])
    copy.sql("UPDATE certificate SET der = ?, sha256 = ? WHERE serial = '1005'",
             changed, hashlib.sha256(changed).hexdigest())  # fmt: skip


def another_certificate(copy: Copy, _: Scene) -> None:
    der = certificate(0x7777).public_bytes(Encoding.DER)
    copy.sql("UPDATE certificate SET der = ? WHERE serial = '1006'", der)


def a_certificate_nobody_recorded(copy: Copy, _: Scene) -> None:
    der = certificate(0x7777).public_bytes(Encoding.DER)
    copy.sql(
        "INSERT INTO certificate SELECT 'c7777', authority, '7777', subject, names, not_before,"
        " not_after, key_sha256, ?, profile, profile_sha256, request_id, requester, ?, issued_at,"
        " renewed_from, 'i7777' FROM certificate WHERE serial = '1007'",
        hashlib.sha256(der).hexdigest(),
        der,
    )


def no_checkpoint(copy: Copy, _: Scene) -> None:
    (copy.log / "checkpoint").unlink()


def checkpoint_of_another_key(copy: Copy, _: Scene) -> None:
    text = (copy.log / "checkpoint").read_text().partition("\n\n")[0] + "\n"
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = note.VerifierKey(ORIGIN, private.public_key().public_bytes_raw())
    signed = note.sign_note(text, key, private.sign(text.encode()))
    (copy.log / "checkpoint").write_bytes(signed)


def torn_journal(copy: Copy, _: Scene) -> None:
    (path,) = (copy.home / "journal").glob("*.journal")
    path.write_bytes(path.read_bytes()[:-7])


def forged_journal(copy: Copy, _: Scene) -> None:
    """A record that the chain accepts, and that the signer would never write."""
    journal = Journal(copy.home / "journal", now_ms=lambda: NOW_MS)
    journal.append([Draft(Operation.CHECKPOINT, "audit", detail={"checkpoint": "one two"})])
    journal.close()


def ruined_database(copy: Copy, _: Scene) -> None:
    path = copy.home / "data" / "chancery.db"
    data = bytearray(path.read_bytes())
    data[4096:] = random.Random(0).randbytes(len(data) - 4096)
    path.write_bytes(data)


BOOKS: dict[str, tuple[Callable[[Copy, Scene], None], str, bool]] = {
    "database rolled back": (roll_back("data"), "database.rolled-back", False),
    "log rolled back": (roll_back("audit"), "checkpoint.rolled-back", True),
    "database and log": (roll_back("data", "audit"), "checkpoint.rolled-back", False),
    "database, log and journal": (
        roll_back("data", "audit", "journal"), "checkpoint.rolled-back", True,
    ),
    "log and journal": (roll_back("audit", "journal"), "checkpoint.rolled-back", True),
    "journal": (roll_back("journal"), "certificate.unsigned", False),
    "signed outside": (sign_outside_the_database, "journal.unrecorded", False),
    "other signature": (other_signature, "journal.signature", False),
    "other certificate": (another_certificate, "certificate.changed", False),
    "unrecorded certificate": (a_certificate_nobody_recorded, "certificate.unrecorded", False),
    "certificate deleted": (
        statement("DELETE FROM certificate WHERE serial = '1001'"), "certificate.missing", False,
    ),
    "certificate moved": (
        statement("UPDATE certificate SET authority = 'other' WHERE serial = '1001'"),
        "certificate.missing", False,
    ),
    "revocation deleted": (
        statement("DELETE FROM revocation WHERE serial = '1001'"), "revocation.differs", False,
    ),
    "reason changed": (
        statement("UPDATE revocation SET reason = 4 WHERE serial = '1001'"),
        "revocation.differs", False,
    ),
    "revoked later": (
        statement("UPDATE revocation SET revoked_at = revoked_at + 1 WHERE serial = '1001'"),
        "revocation.differs", False,
    ),
    "invalid since": (
        statement("UPDATE revocation SET invalidity_date = 1 WHERE serial = '1002'"),
        "revocation.differs", False,
    ),
    "revoked to held": (
        statement("UPDATE revocation SET status = 'held' WHERE serial = '1004'"),
        "revocation.differs", False,
    ),
    "revocation invented": (
        statement("INSERT INTO revocation SELECT authority, '1009', 'c1009', status, revoked_at,"
                  " reason, invalidity_date, not_after, entry, changed FROM revocation LIMIT 1"),
        "revocation.unrecorded", False,
    ),
    "abandoned in secret": (
        statement("UPDATE intent SET abandoned_at = 1 WHERE serial = '2001'"),
        "journal.abandoned", False,
    ),
    "abandoning undone": (
        statement("UPDATE intent SET abandoned_at = NULL WHERE serial = '2000'"),
        "intent.differs", False,
    ),
    "intent deleted": (
        statement("DELETE FROM intent WHERE serial = '2001'"), "journal.unrecorded", False,
    ),
    "crl invented": (
        statement("INSERT INTO crl (authority, number, this_update, next_update, entries, der)"
                  " VALUES ('issuing', 7, 1, 2, 0, x'3000')"),
        "crl.unrecorded", False,
    ),
    "head wrong": (statement("UPDATE audit_head SET size = 9"), "database.head", False),
    "uncovered record changed": (
        statement("UPDATE audit_leaf SET actor = 'x' WHERE seq = 580"),
        "database.record-changed", False,
    ),
    "uncovered gap": (
        statement("DELETE FROM audit_leaf WHERE seq = 580"), "database.record-missing", False,
    ),
    "no checkpoint": (no_checkpoint, "checkpoint.missing", False),
    "other key": (checkpoint_of_another_key, "checkpoint.invalid", False),
    "torn journal": (torn_journal, "journal.broken", False),
    "forged journal": (forged_journal, "journal.broken", False),
    "ruined database": (ruined_database, "database.unreadable", False),
    "no table": (statement("DROP TABLE crl"), "database.unreadable", False),
}  # fmt: skip


@pytest.mark.parametrize("name", BOOKS)
def test_books(scene: Scene, name: str) -> None:
    tamper, code, anchored = BOOKS[name]
    copy = scene.copy()
    tamper(copy, scene)
    # Where all was rolled back to a moment that was, only a later checkpoint can tell.
    later = [scene.home / "audit" / "checkpoint"] if anchored else []
    report = scene.verify(copy, *later)

    assert code in codes(report), report.findings


def test_a_checkpoint_that_claims_the_moon(scene: Scene) -> None:
    copy = scene.copy()
    path = copy.log / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n579\n", b"\n99999999999999999\n"))

    assert codes(scene.verify(copy)) >= {"checkpoint.invalid", "tile.missing"}


def test_a_fork_is_found(scene: Scene, tmp_path: Path) -> None:
    """A second history, signed with the true key: the auditor's old checkpoint exposes it."""
    instance = Instance(tmp_path / "fork")
    instance.record(600)
    instance.audit.checkpoint()
    instance.close()
    report = audit_verifier.verify(tmp_path / "fork", scene.key)
    assert report.ok  # by itself it is perfect

    report = audit_verifier.verify(tmp_path / "fork", scene.key, [scene.anchor])
    assert codes(report) == {"checkpoint.root"}


def test_a_log_in_use_is_sound(tmp_path: Path) -> None:
    """While certificates are issued and checkpoints signed, nothing looks like tampering."""
    instance = Instance(tmp_path / "home")
    instance.record(250)
    instance.audit.checkpoint()
    for serial in range(0x3000, 0x3020):
        instance.issue(serial)
        if serial % 3 == 0:
            instance.audit.checkpoint()
        report = audit_verifier.verify(tmp_path / "home", tmp_path / "home" / "audit.vkey")
        assert report.findings == []
    instance.close()


SCRIPT = Path(audit_verifier.__file__)


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """As an auditor would: -I leaves the installed packages of this repository out of reach."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_as_a_program(scene: Scene, tmp_path: Path) -> None:
    copy = scene.copy()
    alone = tmp_path / "audit_verifier.py"
    shutil.copy(SCRIPT, alone)

    finished = run(alone, copy.home, "--key", scene.key, "--anchor", scene.anchor)
    assert finished.returncode == 0, finished.stderr
    assert "not checked, because it is not here: certificates" in finished.stdout
    assert finished.stdout.splitlines()[-1].startswith(f"sound; {SIZE} records signed, root ")

    shutil.copy(SCRIPT.with_name("audit_reconciler.py"), tmp_path)
    (copy.log / "tile" / "entries" / "001").unlink()
    finished = run(alone, copy.home, "--key", scene.key, "--json")
    assert finished.returncode == 8
    result = json.loads(finished.stdout)
    assert (result["ok"], result["size"]) == (False, SIZE)
    assert result["findings"][0]["where"] == "tile/entries/001"

    assert run(alone, copy.home, "--key", copy.log / "checkpoint").returncode == 2
    assert run(alone, tmp_path / "nowhere", "--key", scene.key).returncode == 2
    finished = run(alone, copy.home)
    assert finished.returncode == 8
    assert "the key is the copy's own" in finished.stderr


def test_needs_nothing_but_cryptography() -> None:
    for path in (SCRIPT, SCRIPT.with_name("audit_reconciler.py")):
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                module = line.split()[1].partition(".")[0]
                assert module in sys.stdlib_module_names | {"cryptography"}, line
