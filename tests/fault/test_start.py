"""All or nothing: what keeps an instance from starting is said, and nothing is left running (I16)."""

import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.books import compare_books
from services.csr import p256_csr
from services.foreign import wait_for
from services.instance import CHANCERY, Instance, clean_environment
from services.rest import Rest

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Not served.  Each test breaks one thing and mends it."""
    made = Instance.create(tmp_path_factory.mktemp("start") / "instance")
    with made.serving():
        made.automatic_ra("automatic")
    yield made
    with made.serving():  # whatever was tried, it is sound in the end
        issue(made)


def issue(instance: Instance) -> str:
    reply = Rest(instance, "requester").submit(p256_csr("a.example.org"), ra="automatic")
    assert reply.body["state"] == "issued", reply
    return str(reply.body["serial"])


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


def serve(instance: Instance) -> Ended:
    """Start it, see it end, and see that nothing of it lives on."""
    done = subprocess.run(
        [CHANCERY, "serve", "--config", str(instance.directory / "chancery.toml")],
        capture_output=True, text=True, check=False, timeout=40, env=clean_environment(),
    )  # fmt: skip
    wait_for(lambda: not relatives(instance), seconds=5, what="the children to go")
    return Ended(done.returncode, done.stderr + done.stdout)


def relatives(instance: Instance) -> list[int]:
    """Processes started with a path in the instance's directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:  # gone while we looked
            continue
        if str(instance.directory).encode() in words and b"chancery" in words:
            found.append(int(path.parent.name))
    return found


@contextmanager
def changed(path: Path, data: bytes) -> Iterator[None]:
    """Other content, for a while; owner and mode stay."""
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def opened_to_the_group(path: Path) -> Iterator[None]:
    mode = path.stat().st_mode
    path.chmod(mode | 0o040)
    try:
        yield
    finally:
        path.chmod(mode)


@pytest.mark.parametrize("listener", ["http", "https"])
def test_a_port_in_use(instance: Instance, listener: str) -> None:
    port = int(instance.facts[listener].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        ended = serve(instance)
    assert ended.code == 7
    assert str(port) in ended.said
    assert "in use" in ended.said
    assert "Traceback" not in ended.said


def test_a_wrong_unseal_key(instance: Instance) -> None:
    with changed(instance.directory / "secrets" / "unseal.key", bytes(range(32))):
        ended = serve(instance)
    assert ended.code == 7
    assert "unseal" in ended.said
    assert "Traceback" not in ended.said


@pytest.mark.parametrize("name", ["secrets/unseal.key", "vault", "journal"])
def test_what_others_could_read(instance: Instance, name: str) -> None:
    path = instance.directory / name
    with opened_to_the_group(path):
        ended = serve(instance)
    assert ended.code == 7
    assert "file.private" in ended.said
    assert path.name in ended.said
    assert "chmod" in ended.said


def test_a_journal_that_was_altered(instance: Instance) -> None:
    segment = max(p for p in (instance.directory / "journal").iterdir() if p.name != "lock")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    with changed(segment, bytes(data)):
        ended = serve(instance)
    assert ended.code == 7
    assert "journal.broken" in ended.said
    assert "backup" in ended.said


def test_a_journal_that_is_missing(instance: Instance) -> None:
    """A fresh journal would not know which serials were signed."""
    journal = instance.directory / "journal"
    aside = journal.rename(journal.with_name("journal.aside"))
    journal.mkdir(mode=0o700)
    try:
        ended = serve(instance)
    finally:
        shutil.rmtree(journal)
        aside.rename(journal)
    assert ended.code == 7
    assert "journal" in ended.said


@contextmanager
def other_database(instance: Instance, revision: str | None) -> Iterator[None]:
    """An empty database, or one that says it is at *revision*."""
    path = instance.directory / "data" / "chancery.db"
    aside = path.with_name("aside")
    shutil.copy(path, aside)
    if revision is None:
        path.unlink()
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
            connection.commit()
    try:
        yield
    finally:
        for rest in path.parent.glob("chancery.db*"):
            rest.unlink()
        aside.rename(path)


@pytest.mark.parametrize("revision", [None, "r0000"])
def test_a_database_of_another_time(instance: Instance, revision: str | None) -> None:
    with other_database(instance, revision):
        ended = serve(instance)
    assert ended.code == 7
    assert f"at revision {revision or 'none'}" in ended.said
    assert "Traceback" not in ended.said


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("[listen]", "[listen]\nhttp_prot = 80", "listen.http_prot"),
        ("[audit]", "[audit]\ncheckpoint_every = -1", "audit.checkpoint_every"),
        ("[tls]", "[tls]\nclient_ca = 3", "line "),  # twice the same key: not TOML
        ('vault = "vault"', "", "signer.vault"),
        ('host = "127.0.0.1"', "host = 7", "listen.host"),
        ("unseal_key_file", 'passphrase_file = "x"\nunseal_key_file', "signer"),
        ("[database]", "[nonsense]\nx = 1\n[database]", "nonsense"),
    ],
)
def test_a_wrong_configuration(instance: Instance, before: str, after: str, key: str) -> None:
    path = instance.directory / "chancery.toml"
    text = path.read_text()
    assert before in text
    with changed(path, text.replace(before, after, 1).encode()):
        ended = serve(instance)
        checked = instance.run("config", "check", "--config", str(path))
    assert ended.code == 2, ended.said
    assert key in ended.said
    assert "Traceback" not in ended.said
    assert checked.returncode != 0
    assert key in checked.stdout + checked.stderr


def test_a_second_one_does_no_harm(instance: Instance) -> None:
    with instance.serving():
        done = subprocess.run(
            [CHANCERY, "serve", "--config", str(instance.directory / "chancery.toml")],
            capture_output=True, text=True, check=False, timeout=40, env=clean_environment(),
        )  # fmt: skip
        assert done.returncode == 7
        assert "already in use" in done.stderr + done.stdout  # the ports come first
        issue(instance)


def test_power_cuts_in_a_row(instance: Instance) -> None:
    acknowledged = {}
    for _ in range(2):
        instance.start()
        serial = issue(instance)
        acknowledged[serial] = Rest(instance, "requester")(
            "GET", f"/certificates/{serial}/download?format=pem"
        ).body
        instance.kill()
    instance.launch()  # and one while it is starting
    instance.kill()
    with instance.serving():
        pass
    compare_books(instance, acknowledged)
