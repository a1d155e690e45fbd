"""A full disk: refused with 503, nothing lost, no half file; room again, and it serves again (T4, C11).

Every directory of the instance that grows is a small file system of its own.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.books import compare_books, database
from services.csr import p256_csr
from services.foreign import openssl, wait_for
from services.instance import Instance
from services.rest import Reply, Rest

pytestmark = pytest.mark.fault

GROWING = ("data", "journal", "audit", "public", "vault")
SIZE_MIB = 16
ATTEMPTS = 200  # submissions that fit into what is left of a page, generously


@contextmanager
def on_own_disk(directory: Path) -> Iterator[None]:
    """Put *directory* onto a tmpfs of its own for a while."""
    aside = directory.with_name(f"{directory.name}.aside")
    directory.rename(aside)
    directory.mkdir()
    options = f"size={SIZE_MIB}m,mode={aside.stat().st_mode & 0o777:o}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"this test mounts file systems and must run as root: {done.stderr}")
    try:
        shutil.copytree(aside, directory, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """Take all room that is left on the disk of *directory*; give it back at the end."""
    filler = directory / ".filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
    finally:
        filler.unlink()


@dataclass
class Office:
    """A served instance, and what it acknowledged."""

    instance: Instance
    acknowledged: dict[str, str] = field(default_factory=dict)  # serial -> certificate PEM

    def submit(self) -> Reply:
        reply = Rest(self.instance, "requester").submit(p256_csr("a.example.org"), ra="automatic")
        if reply.status == 201:
            self.acknowledged[reply.body["serial"]] = reply.body["certificate"]
        return reply

    def first_refusal(self) -> Reply:
        """Submit until the last page of the disk is used up."""
        for _ in range(ATTEMPTS):
            if (reply := self.submit()).status != 201:
                return reply
        raise AssertionError(f"{ATTEMPTS} certificates on a full disk")

    def serves_again(self) -> None:
        wait_for(lambda: self.submit().status == 201, seconds=10, what="issuance with room again")
        wait_for(self.instance.ready, seconds=10, what="readiness with room again")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Instance.create(tmp_path_factory.mktemp("disk") / "instance")
    disks = [on_own_disk(made.directory / name) for name in GROWING]
    with disks[0], disks[1], disks[2], disks[3], disks[4]:
        with made.serving():
            made.automatic_ra("automatic")
            office = Office(made)
            assert office.submit().status == 201
            yield office
        # Intents that the faults left open are settled when it starts again.
        with made.serving():
            office.serves_again()
        _, _, open_intents = database(made)
        assert not open_intents
        compare_books(made, office.acknowledged)


@pytest.mark.parametrize("name", ["data", "journal"])
def test_issuance_is_refused_and_heals(office: Office, name: str) -> None:
    with full(office.instance.directory / name):
        refusal = office.first_refusal()
        assert refusal.status == 503, refusal
        assert [office.submit().status for _ in range(3)] == [503, 503, 503]
        if name == "data":
            wait_for(lambda: not office.instance.ready(), seconds=5, what="readiness to say no")
        # What was there before is still told.
        serial = next(iter(office.acknowledged))
        reader = Rest(office.instance, "officer1")
        assert reader("GET", f"/certificates/{serial}").body["status"] == "valid"
    office.serves_again()


def test_no_room_for_a_key_leaves_no_half_key(office: Office) -> None:
    vault = office.instance.directory / "vault"
    before = names(vault)
    ask = {"profile": "tls-server", "ra": "automatic", "server_key": "ec-p256"}
    ask |= {"names": ["dns:k.example.org"]}
    requester = Rest(office.instance, "requester")
    with full(vault):
        assert requester("POST", "/requests", ask).status == 503
        assert names(vault) == sorted([*before, ".filler"])
        assert office.submit().status == 201  # keys that exist are in memory
    assert requester("POST", "/requests", ask).status == 201


def test_no_room_for_the_crl_does_not_lose_the_revocation(office: Office) -> None:
    public = office.instance.directory / "public"
    serial = office.submit().body["serial"]
    officer = Rest(office.instance, "officer1")
    before = crl_files(public)
    with full(public):
        reply = officer("POST", f"/certificates/{serial}/revoke", {"reason": "superseded"})
        assert reply.status == 200, reply
        time.sleep(1.5)  # the scheduler tries
        assert crl_files(public) == before  # old, but whole
    wait_for(lambda: listed(public, serial), seconds=15, what="the CRL with room again")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def crl_files(public: Path) -> dict[Path, bytes]:
    found = [path for path in public.rglob("*") if path.is_file() and path.name != ".filler"]
    return {path: path.read_bytes() for path in found}


def listed(public: Path, serial: str) -> bool:
    return any(
        serial.upper() in openssl("crl", "-inform", "DER", "-in", str(path), "-noout", "-text")
        for path in crl_files(public)
        if path.suffix == ".crl"
    )


def test_no_room_for_the_log_does_not_break_it(office: Office) -> None:
    """Leaves live in the record; tiles and checkpoint catch up."""
    audit = office.instance.directory / "audit"
    with full(audit):
        for _ in range(3):
            office.submit()
        time.sleep(2.5)  # two checkpoints are due
        assert not [p for p in audit.rglob(".*") if p.name != ".filler"]
    size = int((audit / "checkpoint").read_text().splitlines()[1])
    assert office.submit().status == 201
    wait_for(
        lambda: int((audit / "checkpoint").read_text().splitlines()[1]) > size,
        seconds=15, what="a checkpoint with room again",
    )  # fmt: skip
    report = office.instance.json("audit", "verify", str(office.instance.directory))
    assert report["ok"], report["findings"][:3]
