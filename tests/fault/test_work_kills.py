"""kill -9 while work goes on in the background: it goes on where it stood, and mail is not lost."""

import json
import os
import signal
import ssl
import time
from collections import Counter
from pathlib import Path

import pytest
from listening import party

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import SqlStore, open_store
from chancery.app.presence import Presence
from chancery.domain.audit import AuditRecord
from chancery.settings import load
from services.csr import p256_csr
from services.instance import Instance
from services.mailbox import Mailbox

pytestmark = pytest.mark.fault

CERTIFICATES = 3000


@pytest.fixture
def told(automatic: Instance, tmp_path: Path) -> tuple[Instance, Mailbox]:
    """The instance sends mail."""
    root = party("root", ca=True)
    (automatic.directory / "root.pem").write_bytes(root.pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*party("localhost", root).write(tmp_path, "mail"))
    box = Mailbox(context).start()
    config = automatic.directory / "chancery.toml"
    config.write_text(
        config.read_text() + f'\n[mail]\nhost = "localhost"\nport = {box.port}\n'
        'ca_file = "root.pem"\nsender = "ca@example.org"\n'
    )
    return automatic, box


def opened(instance: Instance) -> SqlStore:
    url = load(instance.directory / "chancery.toml").database.url
    return open_store(url, clock=SystemClock())


def until(wanted, timeout_s: float = 60):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + timeout_s
    while not (found := wanted()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def revoked(store: SqlStore, operation: str) -> list[AuditRecord]:
    with store.read() as session:
        records = session.audit.records(0, session.audit.size())
    return [
        one
        for one in records
        if one.leaf.startswith(b'{"action":"certificate.revoked"')
        and one.event.details.get("operation") == operation
    ]


def test_a_bulk_revocation_goes_on_after_kills(automatic: Instance, tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {"csr": p256_csr(f"host{n}.example.org"), "profile": "tls-server", "ra": "automatic"}
        )
        for n in range(CERTIFICATES)
    ]
    (tmp_path / "many.ndjson").write_text("\n".join(lines))
    with automatic.serving():
        submitted = automatic.run(
            "request", "submit", "--bulk", str(tmp_path / "many.ndjson"), user="requester"
        )
        assert submitted.returncode == 0, submitted.stderr[-500:]
        begun = automatic.json(
            "certificate", "revoke-matching", "--requester", "requester", "--reason", "superseded",
            "--yes", "--no-wait", user="officer1",
        )  # fmt: skip
        assert begun["total"] == CERTIFICATES
        store = opened(automatic)
        kills, seen = 0, -1
        while True:
            with store.read() as session:
                now = session.operations.get(begun["id"])
            assert now is not None
            if now.ended:
                break
            if now.done > seen and kills < 3 and (pid := automatic.child("chancery.app.jobs")):
                os.kill(pid, signal.SIGKILL)
                kills, seen = kills + 1, now.done
            time.sleep(0.002)
        assert (now.state.value, now.done, now.failed) == ("done", CERTIFICATES, 0)
        assert now.skipped == 0
        leaves = revoked(store, begun["id"])
        assert Counter(one.event.subject_id for one in leaves).most_common(1)[0][1] == 1
        assert len(leaves) == CERTIFICATES
        until(lambda: len(_crl(store)) == CERTIFICATES)
        store.close()
    print(f"{kills} kills")


def _crl(store: SqlStore) -> list[object]:
    with store.read() as session:
        crl = session.crls.latest("issuing-ca")
    assert crl is not None
    return [None] * crl.entries


def test_mail_survives_the_death_of_its_sender(told: tuple[Instance, Mailbox]) -> None:
    instance, box = told
    with instance.serving():
        users = {"officer1": "o1@example.org", "officer2": "o2@example.org"}
        for name, address in users.items():
            done = instance.run("user", "edit", name, "--email", address, user="admin")
            assert done.returncode == 0, done.stderr
        box.answers += ["450 not now"] * 4  # so that it is under way when it is killed
        csr = instance.directory.parent / "a.pem"
        csr.write_text(p256_csr("a.example.org"))
        request = instance.json(
            "request",
            "submit",
            str(csr),
            "--profile",
            "tls-server",
            "--ra",
            "main",
            user="requester",
        )
        until(lambda: len(box.answers) <= 2)
        pid = instance.child("chancery.app.jobs")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        waiting = instance.json("notification", "list", "--about", request["id"], user="auditor")
        assert {one["recipient"] for one in waiting} == set(users.values())
        box.answers.clear()
        instance.wait_ready()
        for one in waiting:
            instance.run("notification", "retry", one["id"], user="admin")
        ids = {f"<{one['id']}@example.org>" for one in waiting}
        # One that was on its way may come twice, under the same id; none may be missing.
        until(lambda: {one["message-id"] for _, one in list(box.got)} >= ids)
        mails = [one for _, one in box.got]
        assert {one["message-id"] for one in mails} == ids
        assert all(request["id"] in str(one.get_body(("plain",))) for one in mails)
    box.stop()


def test_readyz_waits_for_the_jobs_process(automatic: Instance) -> None:
    with automatic.serving():  # which waits for readyz
        assert Presence(automatic.directory / "run" / "jobs.lock").missing() is None
        pid = automatic.child("chancery.app.jobs")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        automatic.wait_ready()
