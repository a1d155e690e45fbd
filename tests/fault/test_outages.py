"""A part goes away and comes back: 503 meanwhile, nothing acknowledged is lost, it heals by itself."""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from chancery.wire import crl
from services import postgres
from services.books import Client, compare_books, database
from services.csr import p256_csr
from services.foreign import wait_for
from services.instance import CHANCERY, Instance
from services.rest import Reply, Rest

pytestmark = pytest.mark.fault

CLIENTS = 3
KILLED_WRITERS = int(os.environ.get("CHANCERY_KILLED_WRITERS", "1"))


@pytest.fixture(scope="module")
def automatic(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """One for all: what an outage leaves behind must not trouble the next."""
    made = Instance.create(tmp_path_factory.mktemp("outages") / "instance")
    with made.serving():
        made.automatic_ra("automatic")
    return made


def submit(instance: Instance) -> Reply:
    return Rest(instance, "requester").submit(p256_csr("a.example.org"), ra="automatic")


@contextmanager
def load(instance: Instance) -> Iterator[list[Client]]:
    """Clients that submit without pause; no answer but an issued certificate or 503."""
    stop = threading.Event()
    clients = [Client(instance, stop) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: served(clients) > 5, seconds=15, what="the load to begin")
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
    assert not [client.refused[:3] for client in clients if client.refused]


def wait_complete(instance: Instance) -> None:
    """Until the last process works too: what fails before that ends ``serve``, all or nothing."""
    checkpoint = instance.directory / "audit" / "checkpoint"
    before = checkpoint.stat().st_mtime_ns
    assert submit(instance).status == 201
    wait_for(lambda: checkpoint.stat().st_mtime_ns > before, seconds=20, what="a checkpoint")


def served(clients: list[Client]) -> int:
    return sum(len(client.acknowledged) for client in clients)


def serves_more(clients: list[Client]) -> None:
    before = served(clients)
    wait_for(lambda: served(clients) > before + 5, seconds=30, what="issuance to go on")


def settle(instance: Instance, acknowledged: dict[str, str], *, alone: bool = True) -> None:
    """Start once more, as after an incident; then the books are closed and agree.

    On PostgreSQL an open intent may be another machine's for a minute.
    """
    with instance.serving():
        assert submit(instance).status == 201
    _, _, open_intents = database(instance)
    assert not (alone and open_intents)
    compare_books(instance, acknowledged)


def told(clients: list[Client]) -> dict[str, str]:
    return {serial: pem for client in clients for serial, pem in client.acknowledged.items()}


def test_a_signer_that_hangs_is_killed_and_started_again(automatic: Instance) -> None:
    with automatic.serving():
        wait_complete(automatic)
        hung = automatic.child("chancery.signer")
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        stopped = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(submit, automatic) for _ in range(4)]
            wait_for(lambda: not automatic.ready(), seconds=20, what="readiness to say no")
            assert Rest(automatic)("GET", "/authorities").status == 401  # the rest still answers
            answers = [answer.result() for answer in waiting]
        assert {answer.status for answer in answers} == {503}, answers
        assert {answer.rule for answer in answers} == {"signer.away"}
        assert time.monotonic() - stopped < 20  # nobody waits for an answer that never comes
        wait_for(automatic.ready, seconds=15, what="another signer")
        assert automatic.child("chancery.signer") != hung
        with load(automatic) as clients:
            serves_more(clients)
    assert "signer gave no answer for 8 s: killed" in automatic.log.read_text()
    settle(automatic, told(clients))


def test_the_signer_dies_and_dies_again(automatic: Instance) -> None:
    with automatic.serving():
        wait_complete(automatic)
        with load(automatic) as clients:
            for _ in range(2):
                signer = automatic.child("chancery.signer")
                assert signer is not None
                os.kill(signer, signal.SIGKILL)
                killed = time.monotonic()
                serves_more(clients)
                wait_for(automatic.ready, seconds=10, what="readiness")
                assert time.monotonic() - killed < 10  # the promise: ready within 10 s
    settle(automatic, told(clients))


def test_the_scheduler_dies_and_revocations_are_still_published(automatic: Instance) -> None:
    with automatic.serving():
        wait_complete(automatic)
        serial = submit(automatic).body["serial"]
        jobs = automatic.child("chancery.app.jobs")
        assert jobs is not None
        os.kill(jobs, signal.SIGKILL)
        reply = Rest(automatic, "officer1")(
            "POST", f"/certificates/{serial}/revoke", {"reason": "superseded"}
        )
        assert reply.status == 200, reply
        wait_for(lambda: on_crl(automatic, serial), seconds=15, what="the CRL with the serial")


def on_crl(instance: Instance, serial: str) -> bool:
    url = f"{instance.facts['http']}/crl/{instance.facts['issuing']}.crl"
    with urllib.request.urlopen(url, timeout=5) as answer:
        crl = x509.load_der_x509_crl(answer.read())
    return crl.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None


@pytest.fixture
def own_postgres(postgres_server: postgres.Server) -> Iterator[postgres.Server]:
    """A cluster that nobody else minds losing; *postgres_server* has seen that there is one."""
    server = postgres.Server.create()
    yield server
    server.remove()


@pytest.mark.postgres
def test_the_database_crashes_under_load(own_postgres: postgres.Server, tmp_path: Path) -> None:
    instance = Instance.create(tmp_path / "instance", database=own_postgres.database())
    with instance.serving():
        instance.automatic_ra("automatic")
        with load(instance) as clients:
            wait_complete(instance)
            own_postgres.stop(signal.SIGQUIT)  # without a checkpoint, as if it had crashed
            wait_for(lambda: submit(instance).status == 503, seconds=10, what="503")
            wait_for(lambda: not instance.ready(), seconds=10, what="readiness to say no")
            own_postgres.start()
            serves_more(clients)
            own_postgres.stop(signal.SIGINT)  # orderly, as for an upgrade
            own_postgres.start()
            serves_more(clients)
        wait_for(instance.ready, seconds=10, what="readiness")
    settle(instance, told(clients), alone=False)


def test_a_publisher_killed_at_work_leaves_no_half_file(automatic: Instance) -> None:
    """SIGKILL to the jobs process the moment its temporary file is seen beside a CRL of 2 MB."""
    fill = (CHANCERY, "bench", "generate", "--config", str(automatic.directory / "chancery.toml"))
    words = [*fill, "--certificates", "45000", "--revoked", "40000"]
    subprocess.run(words, check=True, capture_output=True)
    issuing = automatic.facts["issuing"]
    folder = automatic.directory / "public" / "crl"
    target = folder / f"{issuing}.crl"
    with automatic.serving():
        serials = [submit(automatic).body["serial"] for _ in range(KILLED_WRITERS)]
        number, left = 0, set[str]()
        for serial in serials:
            with ThreadPoolExecutor(1) as pool:
                killing = pool.submit(kill_writer, folder, f".{target.name}.", left)
                reply = Rest(automatic, "officer1")(
                    "POST", f"/certificates/{serial}/revoke", {"reason": "superseded"}
                )
                assert reply.status == 200, reply
                pid = killing.result()
            found = crl.decode(target.read_bytes())  # the old one or the new one, whole
            assert found.number >= number
            number = found.number
            wait_for(lambda pid=pid: pid not in automatic.family(), seconds=10, what="the kill")  # type: ignore[misc]

        def listed() -> bool:
            parsed = x509.load_der_x509_crl(target.read_bytes())
            return all(parsed.get_revoked_certificate_by_serial_number(int(s, 16)) for s in serials)

        made = Rest(automatic, "operator")("POST", f"/authorities/{issuing}/crl")
        assert made.status == 201, made
        wait_for(listed, seconds=10, what="a CRL with all of them")
        assert crl.decode(target.read_bytes()).number > number


def kill_writer(folder: Path, beginning: str, left: set[str]) -> int:
    """Kill the process that writes a temporary file of that name, as soon as there is one.

    *left*: those of writers killed before.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for name in os.listdir(folder):  # noqa: PTH208 - at once: Path would cost the moment
            if name.startswith(beginning) and name not in left:
                pid = int(name.removeprefix(beginning).partition(".")[0])
                os.kill(pid, signal.SIGKILL)
                left.add(name)
                return pid
    raise AssertionError("nobody wrote a CRL")
