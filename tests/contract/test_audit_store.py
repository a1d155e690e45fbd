"""The audit service over the record, the files and the signer's key as they are in an instance."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery import audit_verifier
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.storage import SqlStore, migrate, open_store
from chancery.domain.errors import NotFound
from chancery.domain.identity import SYSTEM
from chancery.services.audit import AuditService, AuditTampered, event

CLOCK = SimpleNamespace(ms=lambda: 1_800_000_000_000, s=lambda: 1_800_000_000)


class Vault:
    """An audit key that every process of these tests holds."""

    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

    def key(self, key_id: str) -> Any:
        public = self.private.public_key()
        return SimpleNamespace(
            spki=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        return self.private.sign(text)


def open_audit(home: Path) -> tuple[SqlStore, AuditService]:
    (home / "data").mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{home}/data/chancery.db"
    migrate(url)
    store = open_store(url, clock=CLOCK)
    publisher = DirectoryPublisher(home / "audit")
    service = AuditService(store, Vault(), "audit", "ca.example/audit", publisher, CLOCK)  # type: ignore[arg-type]
    (home / "audit.vkey").write_text(f"{service.verifier_key()}\n")
    return store, service


def record(store: SqlStore, count: int, actor: str = "pat") -> None:
    events = [
        event(SYSTEM, "user.created", f"{actor}{n}", note='ä\u2028\x7f"\\') for n in range(count)
    ]
    store.write(lambda session: session.audit.append(events, CLOCK.ms()))


def verify(home: Path) -> audit_verifier.Report:
    return audit_verifier.verify(home, home / "audit.vkey")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[SqlStore, AuditService]]:
    store, service = open_audit(tmp_path)
    yield store, service
    store.close()


def test_checkpoints_search_and_proofs(
    opened: tuple[SqlStore, AuditService], tmp_path: Path
) -> None:
    store, service = opened
    for count in (0, 1, 300, 700):
        record(store, count)
        assert service.checkpoint().size == service.standing().recorded
        report = verify(tmp_path)
        assert report.findings == []
    assert service.standing().waiting_ms == 0

    newest = service.search(SYSTEM, action="user.created", limit=3)
    assert [one.seq for one in newest] == [1000, 999, 998]
    older = service.search(SYSTEM, subject_id="pat0", before_seq=1000)
    assert [one.seq for one in older] == [301, 1, 0]
    assert service.inclusion(SYSTEM, 1000)["size"] == 1001
    with pytest.raises(NotFound):
        service.record(SYSTEM, 1001)


def test_a_restored_backup_is_refused(tmp_path: Path) -> None:
    """The database comes back from yesterday, the log does not: nothing is signed over it."""
    store, service = open_audit(tmp_path / "home")
    record(store, 10)
    service.checkpoint()
    store.close()
    database = tmp_path / "home" / "data" / "chancery.db"
    backup = database.read_bytes()
    store, service = open_audit(tmp_path / "home")
    record(store, 10)
    signed = service.checkpoint()
    store.close()

    database.write_bytes(backup)
    store, service = open_audit(tmp_path / "home")
    with pytest.raises(AuditTampered, match="holds 10 records, 20 were signed"):
        service.checkpoint()
    record(store, 15, actor="mallory")
    with pytest.raises(AuditTampered, match="record 10 in the database is not the one"):
        service.checkpoint()
    store.close()
    report = verify(tmp_path / "home")
    assert report.size == signed.size == 20
    assert {one["code"] for one in report.findings} == {"database.record-changed"}


OFFICE = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("test_audit_store", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
store, service = module.open_audit(Path(sys.argv[2]))
print("open", flush=True)
while True:
    module.record(store, 100)
    service.checkpoint()
"""


@pytest.mark.fault
def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    """After every kill the log on disk is sound, and the next start carries on with it."""
    rng = random.Random(9)
    sizes = [0]
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", OFFICE, __file__, str(tmp_path)], stdout=subprocess.PIPE
        ) as office:
            assert office.stdout is not None
            assert office.stdout.readline() == b"open\n"
            time.sleep(rng.uniform(0.02, 0.2))
            office.kill()
        if (tmp_path / "audit" / "checkpoint").exists():
            report = verify(tmp_path)
            assert report.findings == []
            sizes.append(report.size)
    assert sizes == sorted(sizes)
    assert sizes[-1] > 500

    store, service = open_audit(tmp_path)
    assert service.checkpoint().size == service.standing().recorded
    store.close()
    assert verify(tmp_path).findings == []
