"""A machine is destroyed and comes back from its backup, and nothing else comes back by mistake."""

import json
import re
import secrets
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509

from chancery.adapters.backup.device import Device
from chancery.adapters.backup.medium import FolderMedium
from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.app import drill as drills
from chancery.app import restore as restores
from chancery.app.backup import places
from chancery.app.custody import seal
from chancery.app.office import open_office
from chancery.app.own_certificate import first_own_certificate
from chancery.app.scratch import Keys, brief_signer
from chancery.domain.backup import KeyKind
from chancery.domain.custody import Custodian
from chancery.domain.errors import AlreadyExists, BadRequest, CAError, Conflict, NotAuthenticated
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.ports import CertificateFilter, Page
from chancery.ports_backup import Wanted, Written
from chancery.services.backup import BackupMaking, BackupPlan
from chancery.services.jobs.handler import Lease
from chancery.settings import load
from chancery.wire import custody, shares
from chancery.wire.backup_source import SourceSecret
from chancery.wire.note import VerifierKey
from services.csr import p256_csr
from services.instance import Instance
from services.postgres import Server

PIN = "correct7horse"


@dataclass
class Site:
    """An instance, its device, the custodians' envelopes."""

    instance: Instance
    root: Path

    @property
    def usb(self) -> Path:
        return self.root / "usb"

    @property
    def newest(self) -> Path:
        return max((self.usb / "backups").glob("*.age"))

    @property
    def shares(self) -> list[str]:
        return [path.read_text() for path in sorted((self.root / "source").glob("*.txt"))]

    def keys(self, **changes: object) -> Keys:
        given = {"device": self.usb, "pin": PIN, "shares": self.shares[:2]} | changes
        return Keys(**given)  # type: ignore[arg-type]

    def agree(self) -> None:
        """A source key for three custodians and a device, proposed by one, approved by another."""
        run, root = self.instance.run, self.root
        (root / "pin").write_text(PIN + "\n")
        (root / "pin").chmod(0o600)
        names = ["--custodian", "alice", "--custodian", "bob", "--custodian", "carol"]
        for words in (
            ["source", "init", str(root / "source"), "--threshold", "2", *names],
            ["device", "init", str(self.usb), "--label", "USB", "--pin-file", str(root / "pin"),
             "--vkey", str(self.instance.directory / "audit.vkey"),
             "--recovery-file", str(root / "recovery")],
        ):  # fmt: skip
            done = run("backup", *words)
            assert done.returncode == 0, done.stderr
        for words in (
            ["source", "register", str(root / "source" / "source.json")],
            ["device", "register", str(self.usb)],
        ):
            key = self.instance.json("backup", *words, user="operator")
            refused = run("backup", "key", "approve", key["id"], user="operator")
            assert (refused.returncode, "somebody else" in refused.stderr) == (5, True)
            self.instance.json("backup", "key", "approve", key["id"], user="admin")

    def back_up(self) -> dict[str, object]:
        second = self.instance.facts["users"]["admin"]["token_file"]
        words = ("backup", "create", "--wait", "--second-token-file", second)
        made: dict[str, object] = self.instance.json(*words, user="operator")
        return made


def made(root: Path, database: str | None = None) -> Site:
    instance = Instance.create(root / "instance", database=database)
    config = instance.directory / "chancery.toml"
    place = f'\n[backup]\nmedium = "{root}/usb"\ncopies = ["{root}/copies"]\nkeep = 2\n'
    config.write_text(config.read_text() + place)
    return Site(instance, root)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    built = made(tmp_path_factory.mktemp("backup"))
    with built.instance.serving():
        built.instance.automatic_ra("quick")
        built.agree()
        issue(built.instance, "before.example.org")
        built.back_up()
        yield built


def issue(instance: Instance, name: str) -> str:
    path = instance.directory.parent / f"{name}.csr"
    path.write_text(p256_csr(name))
    submitted = instance.json(
        "request", "submit", str(path), "--ra", "quick", "--profile", "tls-server", user="requester"
    )
    assert submitted["state"] == "issued"
    return str(submitted["serial"])


def crl_number(instance: Instance) -> int:
    with urllib.request.urlopen(instance.facts["http"] + "/crl/issuing-ca.crl") as answer:
        crl = x509.load_der_x509_crl(answer.read())
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_age_opens_the_outer_layer(site: Site) -> None:
    words = ["--identity-out", str(site.root / "identity"), "--pin-file", str(site.root / "pin")]
    assert site.instance.run("backup", "device", "show", str(site.usb), *words).returncode == 0
    opened = subprocess.run(
        ["age", "--decrypt", "-i", str(site.root / "identity"), str(site.newest)],
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout.startswith(b"chancery-backup/1\n")
    for secret in ("unseal.key", "tokens/admin.token"):
        octets = (site.instance.directory / "secrets" / secret).read_bytes()
        assert octets not in opened.stdout  # the device alone shows nothing


def test_how_far_a_backup_is_checked_depends_on_what_is_brought(site: Site) -> None:
    checked = drills.verify(site.newest, site.keys())["checked"]
    assert checked[-1] == "every file and row"
    assert drills.verify(site.newest, site.keys(shares=()))["checked"][-1] == "outer layer"
    copy = site.root / "copies" / site.newest.name
    assert drills.verify(copy, site.keys(pin=None, shares=()))["checked"] == ["seal", "digest"]


@pytest.mark.parametrize(
    ("place", "ending"),
    [(5, ".age"), (120, ".age"), (400, ".age"), (-5, ".age"), (40, ".manifest"),
     (-5, ".manifest"), (None, ".age"), (None, ".manifest")],
)  # fmt: skip
def test_an_octet_of_a_file_is_altered_or_it_is_cut(
    site: Site, tmp_path: Path, place: int | None, ending: str
) -> None:
    for path in (site.newest, site.newest.with_suffix(".manifest")):
        shutil.copy(path, tmp_path)
    file = tmp_path / site.newest.with_suffix(ending).name
    octets = bytearray(file.read_bytes())
    if place is None:
        del octets[len(octets) // 2 :]
    else:
        octets[place] ^= 1
    file.write_bytes(octets)
    with pytest.raises(BadRequest) as refused:
        restores.restore(tmp_path / site.newest.name, tmp_path / "new", site.keys())
    assert (refused.value.rule or "").startswith(("backup.", "note."))
    assert not (tmp_path / "new").exists()


def test_a_backup_that_is_none_ends_with_8(site: Site, tmp_path: Path) -> None:
    shutil.copy(site.newest.with_suffix(".manifest"), tmp_path)
    (tmp_path / site.newest.name).write_bytes(site.newest.read_bytes()[:-1])
    words = ("verify", str(tmp_path / site.newest.name), "--device", str(site.usb))
    done = site.instance.run("backup", *words)
    assert (done.returncode, "octets" in done.stderr) == (8, True)


def test_who_may_not_open_it(site: Site, tmp_path: Path) -> None:
    words = [custody.words_of(text) for text in site.shares]
    other = [custody.words_of(text) for text in shares.split(b"o" * 32, threshold=2, count=3)]
    stranger = VerifierKey("other", b"v" * 32)
    refusals: list[tuple[dict[str, object], type[CAError], str]] = [
        ({"shares": words[:1]}, Conflict, "shares.missing"),
        ({"shares": [words[0], words[0]]}, Conflict, "shares.twice"),
        ({"shares": [words[0], words[1], other[0]]}, Conflict, "shares.other-set"),
        ({"shares": other[:2]}, BadRequest, "backup.source-other"),
        ({"pin": "wrong-pin-9"}, NotAuthenticated, "device.pin"),
        ({"pin": None}, BadRequest, "device.pin"),
        ({"device": tmp_path}, CAError, "device.missing"),
    ]
    for changes, kind, rule in refusals:
        with pytest.raises(kind) as refused:
            restores.restore(site.newest, tmp_path / "new", site.keys(**changes))
        assert refused.value.rule == rule
        assert not (tmp_path / "new").exists()
    assert list(tmp_path.iterdir()) == []
    assert drills.verify(site.newest, site.keys(verifiers=(stranger,)))["sequence"] >= 1
    log = site.instance.json("backup", "device", "show", str(site.usb), "--log")["log"]
    assert {"refused", "opened"} <= {entry["what"] for entry in log}


def test_another_device_is_not_written_to(site: Site, tmp_path: Path) -> None:
    """Swapped while the service runs: the backup fails, and the log says why."""
    away = tmp_path / "away"
    site.usb.rename(away)
    try:
        done = site.instance.run(
            "backup", "device", "init", str(site.usb), "--label", "not ours",
            "--pin-file", str(site.root / "pin"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        second = site.instance.facts["users"]["admin"]["token_file"]
        words = ("backup", "create", "--wait", "--second-token-file", second)
        failed = site.instance.run(*words, user="operator")
        assert "another device is in" in failed.stderr
        assert list((site.usb / "backups").iterdir()) == []
        with pytest.raises(BadRequest) as refused:
            restores.restore(
                away / "backups" / next((away / "backups").glob("*.age")).name,
                tmp_path / "new",
                site.keys(verifiers=(vkey(site),)),
            )
        assert refused.value.rule == "backup.device-other"
    finally:
        shutil.rmtree(site.usb)
        away.rename(site.usb)
    told = site.instance.json("audit", "list", "--action", "backup.failed", user="auditor")
    assert "another device is in" in json.dumps(told)
    kinds = [
        one["kind"] for one in site.instance.json("backup", "standing", user="auditor")["concerns"]
    ]
    assert kinds == ["backup-failed"]
    # The order is tried again by itself; people need not wait for that.
    order = site.instance.json("backup", "orders", user="operator")[0]["id"]
    site.instance.json("backup", "withdraw", order, user="operator")


def modes_of(directory: Path) -> dict[str, int]:
    """Who may read what of an instance; its log is made anew, and runs leave things behind."""
    return {
        path.relative_to(directory).as_posix(): path.stat().st_mode & 0o777
        for path in [directory, *directory.rglob("*")]
        if path.relative_to(directory).parts[:1] not in (("audit",), ("run",), ("data",))
        and path.name != "lock"
    }


def vkey(site: Site) -> VerifierKey:
    return VerifierKey.parse((site.instance.directory / "audit.vkey").read_text())


def test_a_live_instance_is_left_alone(site: Site) -> None:
    home = site.instance.directory
    with pytest.raises(AlreadyExists) as refused:
        restores.restore(site.newest, home, site.keys())
    assert refused.value.rule == "directory.empty"
    told = site.instance.json("audit", "list", "--action", "backup.restore-refused", user="auditor")
    assert len(told) == 1


def test_a_drill_compares_with_the_live_record(site: Site) -> None:
    issue(site.instance, "meanwhile.example.org")
    report = drills.drill(site.newest, site.instance.directory / "chancery.toml", site.keys())
    assert report["findings"] == []
    assert report["certificates"] >= 4
    bad = drills.drill(
        site.newest, site.instance.directory / "chancery.toml", site.keys(shares=site.shares[:1])
    )
    assert "1 more share needed" in bad["findings"][0]
    assert not list(site.instance.directory.glob(".drill*"))
    words = ["--config", str(site.instance.directory / "chancery.toml"), "--device", str(site.usb)]
    for path in sorted((site.root / "source").glob("*.txt"))[1:]:
        words += ["--share-file", str(path)]
    words += ["--pin-file", str(site.root / "pin")]
    drilled = site.instance.json("backup", "drill", str(site.newest), *words, user="operator")
    assert drilled["good"]
    assert site.instance.json("backup", "standing", user="auditor")["last_drill"] is not None


def test_the_machine_is_destroyed_and_comes_back(site: Site) -> None:
    live = site.instance
    serial = issue(live, "kept.example.org")
    left = [site.newest.with_name(f".{site.newest.stem[:-1]}9.age.part"),
            site.newest.with_name(f"{site.newest.stem[:-1]}9.age")]  # fmt: skip
    for path in left:  # as a power cut leaves it
        path.write_bytes(b"half of it")
    made_now = site.back_up()
    assert not any(path.exists() for path in left)
    assert made_now["copies"] == [str(site.root / "copies")]
    lost = issue(live, "lost.example.org")
    live.run("crl", "issue", "issuing-ca", user="operator")
    before = crl_number(live)
    known = {one["serial"] for one in live.json("certificate", "list", user="operator")}
    former = (live.directory / "audit.vkey").read_text()
    assert len(list((site.usb / "backups").glob("*.age"))) == 2  # keep = 2
    live.kill()
    modes = modes_of(live.directory)
    shutil.rmtree(live.directory)

    told = restores.restore(site.newest, live.directory, site.keys())
    assert told["settled"] == {"completed": 0, "signed": 0, "abandoned": 0, "authorities": 0}
    assert told["signed_since"] == []  # the journal of the backup was as young as its record
    assert (live.directory / "audit.vkey").read_text() != former
    now = modes_of(live.directory)
    assert {name: now.get(name) for name in modes} == modes

    live.start()
    back = {one["serial"] for one in live.json("certificate", "list", user="operator")}
    assert back == known - {lost}
    assert serial in back
    deadline = time.monotonic() + 20
    while (number := crl_number(live)) <= before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert number > before
    again = issue(live, "again.example.org")
    assert again not in known
    verified = live.run(
        "audit",
        "verify",
        str(live.directory / "audit"),
        "--key",
        str(live.directory / "audit.vkey"),
    )
    assert verified.returncode == 0, verified.stdout
    (restored,) = live.json("audit", "list", "--action", "backup.restored", user="auditor")
    assert "former_checkpoint" in json.dumps(restored)
    backups = live.json("backup", "list", user="auditor")
    assert backups[0]["state"] == "done"
    live.stop()


@pytest.mark.postgres
def test_a_record_in_postgresql_comes_back(postgres_server: Server, tmp_path: Path) -> None:
    """Into an empty database, in-process: what the doors do with it is tried above.

    Custodians open its vault by then, and a certificate is signed while the backup is made: it is
    too young for the snapshot, but the journal has it.
    """
    site = made(tmp_path, postgres_server.database())
    path = site.instance.directory / "chancery.toml"
    config = load(path)
    secret = SourceSecret(b"s" * 32)
    device, _ = Device(site.usb).make(PIN, label="USB", verifiers=(str(vkey(site)),))
    both = Principal(
        "olga", frozenset(), frozenset(), frozenset(Permission), AuthMethod.SESSION, partner="oscar"
    )
    with brief_signer(config, ()) as here, open_office(here) as office:
        people = [Custodian("vera"), Custodian("vito")]
        seal(path, people, 2, tmp_path / "vault", lambda _: ())
        unsealed = re.sub(r"(?m)^unseal_key_file.*$", "custodians = true", path.read_text())
        path.write_text(unsealed)
        vault = [one.read_text() for one in (tmp_path / "vault").glob("*.txt")]
        desk, store = office.backups, office.store
        desk.propose_key(both, KeyKind.SOURCE, str(secret.public()), threshold=2, shares=3)
        desk.propose_key(both, KeyKind.DEVICE, device.recipient, device=device.id)
        desk.order(both)
        now, young = office.clock.s(), [lambda: first_own_certificate(office)]

        class Meanwhile(FolderMedium):
            def write(
                self, wanted: Wanted, seal: Callable[[bytes], bytes], go_on: Callable[[], bool]
            ) -> Written:
                def issues() -> bool:
                    while young:
                        young.pop()()
                    return go_on()

                return super().write(wanted, seal, issues)

        medium = Meanwhile(site.usb, (), places(config))
        making = BackupMaking(
            store, medium, office.audit, BackupPlan(2, 1), office.clock, secrets.token_bytes
        )
        (job,) = store.write(lambda s: s.jobs.claim(["backup"], "us", now, 60, 1))
        making.run(Lease(job, job.leased_by or "", threading.Event()))
        with store.read() as session:
            newest, *before = session.certificates.find(CertificateFilter(), Page(limit=100))
    keys = site.keys(shares=shares.split(b"s" * 32, threshold=2, count=3)[:2], vault_shares=vault)
    with pytest.raises(BadRequest) as refused:
        restores.restore(site.newest, tmp_path / "new", keys)
    assert refused.value.rule == "backup.database"
    with pytest.raises(Conflict, match="an instance already"):
        restores.restore(site.newest, tmp_path / "new", keys, database=config.database.url)
    assert not (tmp_path / "new").exists()
    there = postgres_server.database()
    without = replace(keys, vault_shares=())
    with pytest.raises(BadRequest) as refused:  # late, and yet nothing stays
        restores.restore(site.newest, tmp_path / "new", without, database=there)
    assert refused.value.rule == "backup.vault-shares"
    told = restores.restore(site.newest, tmp_path / "new", keys, database=there)
    assert told["signed_since"] == [newest.serial]
    again = open_store(there, clock=SystemClock())
    try:
        with again.read() as session:
            assert session.certificates.find(CertificateFilter(), Page(limit=100)) == before
    finally:
        again.close()
