"""The signer as a process: closed to others, ends with its parent, refuses what it must."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import signing as s

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import SignerRefused, TooLarge, Unavailable
from chancery.domain.keys import CertificateOrder, KeyPurpose
from chancery.signer import protocol
from chancery.signer.client import SignerClient
from chancery.signer.journal import Operation, read

pytestmark = pytest.mark.fault


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[s.SignerProcess]:
    made = s.SignerProcess.create(tmp_path)
    made.start()
    yield made
    if made.process is not None:
        made.stop()


def connect(signer: s.SignerProcess) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(signer.home / "run" / "signer.sock"))
    return connection


def log(signer: s.SignerProcess) -> list[dict[str, object]]:
    return [json.loads(line) for line in (signer.home / "signer.log").read_text().splitlines()]


def test_its_memory_is_closed(signer: s.SignerProcess) -> None:
    assert signer.process is not None
    proc = Path("/proc") / str(signer.process.pid)
    limit = next(line for line in (proc / "limits").read_text().splitlines() if "core file" in line)
    assert limit.split()[4:6] == ["0", "0"]
    status = (proc / "status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert (proc / "environ").stat().st_uid == 0  # root's, whoever runs it: not dumpable
    started = next(line for line in log(signer) if line["event"] == "started")
    locked = int(status.split("VmLck:")[1].split()[0])
    assert (locked > 0) == started["memory_locked"]


def test_hardened_means_not_dumpable() -> None:
    """Asked from inside, because to root's eyes /proc looks the same either way."""
    script = (
        "import ctypes; from chancery.signer.hardening import harden; harden();"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=20
    )
    assert run.stdout == "0\n"


def test_the_socket_and_its_directory_are_private(signer: s.SignerProcess) -> None:
    path = signer.home / "run" / "signer.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for directory in ("vault", "journal"):
        for file in (signer.home / directory).iterdir():
            assert file.stat().st_mode & 0o077 == 0, file


def test_another_account_is_not_heard(tmp_path: Path) -> None:
    signer = s.SignerProcess.create(tmp_path)
    signer.start("--peer-uid", str(os.geteuid() + 1))
    with pytest.raises(Unavailable):
        signer.client().key("root")
    signer.stop()
    assert [line["uid"] for line in log(signer) if line["event"] == "peer-refused"] == [
        os.geteuid()
    ]


def test_an_oversized_frame_ends_the_connection_and_nothing_else(signer: s.SignerProcess) -> None:
    for header in (b"\xff\xff\xff\xff", (protocol.MAX_FRAME + 1).to_bytes(4)):
        with connect(signer) as connection:
            connection.sendall(header)
            assert connection.recv(1) == b""
    with pytest.raises(TooLarge):
        signer.client().sign_csr("root", SignatureAlgorithm.ECDSA_SHA256, bytes(protocol.MAX_FRAME))
    assert signer.client().generate("k", KeyAlgorithm.EC_P256, KeyPurpose.OCSP)


def test_a_frame_cut_short_ends_the_connection_and_nothing_else(signer: s.SignerProcess) -> None:
    for part in (b"\0", b"\0\0\0\x09part"):
        with connect(signer) as connection:
            connection.sendall(part)
    assert signer.client().generate("k", KeyAlgorithm.EC_P256, KeyPurpose.OCSP)


def test_a_silent_connection_does_not_delay_the_end(signer: s.SignerProcess) -> None:
    with connect(signer), connect(signer) as half:
        half.sendall(b"\0\0")  # a frame begun and never finished
        started = time.monotonic()
        assert signer.stop() == 0
        assert time.monotonic() - started < 5


def test_a_client_finds_a_signer_that_restarted(signer: s.SignerProcess) -> None:
    client = SignerClient(signer.home / "run" / "signer.sock")
    info, _ = s.make_root(client, "root", "Root")
    signer.kill()
    with pytest.raises(Unavailable):
        client.key("root")
    signer.start()
    assert client.key("root") == info  # the stale connection costs no error
    (made,) = client.sign_certificates([s.order("root", s.leaf(s.name("Root")))])
    assert isinstance(made, bytes)
    client.close()


def test_a_serial_is_not_signed_twice_across_restarts(signer: s.SignerProcess) -> None:
    client = signer.client()
    s.make_root(client, "root", "Root")
    order = s.order("root", s.leaf(s.name("Root")))
    assert isinstance(client.sign_certificates([order])[0], bytes)
    signer.kill()
    signer.start()
    (answer,) = client.sign_certificates([order])
    assert isinstance(answer, SignerRefused)
    assert answer.rule == "signer.serial-reuse"


def test_sigterm_ends_it_cleanly(signer: s.SignerProcess) -> None:
    client = signer.client()
    s.make_root(client, "root", "Root")
    assert signer.stop() == 0
    assert not (signer.home / "run" / "signer.sock").exists()
    assert log(signer)[-1]["event"] == "stopped"
    list(read(signer.home / "journal"))


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    signer = s.SignerProcess.create(tmp_path)
    script = (
        "import subprocess, sys, os\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script, *signer.command],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert parent.returncode == -signal.SIGKILL
    child = Path("/proc") / parent.stdout.strip()
    deadline = time.monotonic() + 10
    while child.exists() and "\nState:\tZ" not in (child / "status").read_text():
        assert time.monotonic() < deadline, "the signer outlived its parent"
        time.sleep(0.02)
    signer.start()  # its journal is free again
    signer.stop()


def start_fails(signer: s.SignerProcess) -> dict[str, object]:
    run = subprocess.run(signer.command, check=False, capture_output=True, text=True, timeout=20)
    assert run.returncode == 7
    assert run.stdout == ""
    last: dict[str, object] = json.loads(run.stderr.splitlines()[-1])
    return last


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    signer = s.SignerProcess.create(tmp_path)
    signer.start()
    assert start_fails(signer)["rule"] == "journal.locked"
    assert signer.client().generate("k", KeyAlgorithm.EC_P256, KeyPurpose.OCSP)
    signer.stop()
    (segment,) = (tmp_path / "journal").glob("*.journal")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    assert start_fails(signer)["rule"] == "journal.broken"
    segment.write_bytes(whole)
    (tmp_path / "unseal.key").write_bytes(os.urandom(32))
    assert start_fails(signer)["rule"] == "unseal.wrong"
    (tmp_path / "unseal.key").chmod(0o644)
    assert start_fails(signer)["rule"] == "file.private"


def test_a_vault_does_not_start_with_an_empty_journal(tmp_path: Path) -> None:
    signer = s.SignerProcess.create(tmp_path)
    signer.start()
    signer.stop()
    (tmp_path / "journal").rename(tmp_path / "lost")
    assert start_fails(signer)["rule"] == "journal.foreign"
    for file in (tmp_path / "journal").iterdir():
        file.unlink()
    (tmp_path / "journal").rmdir()
    (tmp_path / "lost").rename(tmp_path / "journal")
    signer.start()
    signer.stop()


def test_a_full_disk_releases_nothing(tmp_path: Path) -> None:
    """A limit on file size stands for the disk: writes are cut short, then refused."""
    signer = s.SignerProcess.create(tmp_path)
    signer.start()
    client = signer.client()
    s.make_root(client, "root", "Root")
    assert signer.process is not None
    limit = 20_000
    resource.prlimit(signer.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    acknowledged, refused, rule = sign_until_full(client)
    assert acknowledged
    assert rule == "journal.write"
    # Nothing of a refused batch is on record, so it may be asked for again.
    resource.prlimit(
        signer.process.pid,
        resource.RLIMIT_FSIZE,
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    )
    assert client.signatures("root", [order.serial for order in refused]) == {}
    answers = client.sign_certificates(refused)
    assert all(isinstance(answer, bytes) for answer in answers)
    signer.stop()
    recorded = {
        e.serial for e in read(tmp_path / "journal") if e.operation is Operation.CERTIFICATE
    }
    assert recorded == acknowledged | {order.serial for order in refused}


def sign_until_full(client: SignerClient) -> tuple[set[str], list[CertificateOrder], str | None]:
    acknowledged: set[str] = set()
    for _ in range(100):
        batch = [s.order("root", s.leaf(s.name("Root"))) for _ in range(10)]
        try:
            answers = client.sign_certificates(batch)
        except Unavailable as error:
            return acknowledged, batch, error.rule
        acknowledged |= {
            order.serial
            for order, answer in zip(batch, answers, strict=True)
            if isinstance(answer, bytes)
        }
    pytest.fail("the limit was never met")


def test_no_secret_reaches_the_log(signer: s.SignerProcess) -> None:
    client = signer.client()
    client.generate("k", KeyAlgorithm.EC_P256, KeyPurpose.SUBJECT)
    with pytest.raises(SignerRefused):
        client.export_pkcs12("k", b"junk", [], "a passphrase to look for")
    signer.stop()
    assert "a passphrase" not in (signer.home / "signer.log").read_text()
