"""The whole life: an offline root and an issuing CA on tokens, a machine destroyed, and it goes on.

The machine is what is destroyed: its instance directory goes, whole.  Tokens
are devices of their own, which survive it, as HSMs in another rack do; what no
backup of ours brings back is a token's key, and the last tests say what then.
"""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from services.csr import p256_csr
from services.foreign import openssl, wait_for
from services.instance import CHANCERY, Instance, clean_environment
from support.softhsm import MODULE, PIN, SoftHsm

pytestmark = pytest.mark.interop

PEOPLE = ("ada", "grace", "linus", "mary", "alan")
WITNESSES = ("Ada Lovelace", "Grace Hopper")
HEAD = f"""
name = "NAME"
witnesses = {json.dumps(WITNESSES)}
store = "corp.store"
out = "NAME"
[token]
module = "{MODULE}"
token = "root"
"""
FOUNDING = f"""
[new_store]
threshold = 3
custodians = [{", ".join(f'{{ name = "{name}" }}' for name in PEOPLE)}]
[[step]]
do = "root"
name = "corp-root"
subject = "CN=Corp Root,O=Example GmbH,C=DE"
path_length = 1
http = "HTTP"
"""
ANSWER = """
[certificates]
corp-root = "founding/corp-root.pem"
[[step]]
do = "bundle"
issuer = "corp-root"
request = "request.json"
audit_key = "audit.vkey"
out = "answer.txt"
"""


@dataclass
class World:
    """Two tokens, a machine without a network, a server, and a medium that is carried about."""

    root: Path
    hsm: SoftHsm
    server: Instance

    def ceremony(self, name: str, script: str) -> "subprocess.CompletedProcess[str]":
        """By three of five, once there is a store; two witnesses have confirmed the plan's hash."""
        room = self.root / "air-gap"
        (room / f"{name}.toml").write_text(HEAD.replace("NAME", name) + script)
        planned = self.offline("ceremony", "plan", f"{name}.toml", "--json")
        assert planned.returncode == 0, planned.stderr
        digits = json.loads(planned.stdout)["sha256"][:8]
        said = [line for witness in WITNESSES for line in (witness, digits)]
        if (room / "corp.store").exists():
            (shares,) = (room / "founding").glob("shares-*")
            said += [f"@{shares}/{who}.share.txt" for who in ("mary", "ada", "linus")]
        return self.offline(
            "ceremony", "run", f"{name}.toml", "--json", given="\n".join([*said, PIN, ""])
        )

    def offline(self, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [CHANCERY, *words], cwd=self.root / "air-gap", env=clean_environment(), input=given,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def issue(self, name: str) -> str:
        """A certificate of the issuing CA; openssl follows it to the offline root.  Its serial."""
        csr, chain = self.root / f"{name}.csr", self.root / f"{name}.pem"
        csr.write_text(p256_csr(name))
        made = self.server.json(
            "request", "submit", str(csr), "--ra", "corp", "--profile", "tls-server",
            user="requester",
        )  # fmt: skip
        self.server.run(
            "request", "download", made["id"], "--format", "chain", "-o", str(chain),
            user="requester",
        )  # fmt: skip
        anchor = str(self.root / "air-gap" / "founding" / "corp-root.pem")
        openssl("verify", "-CAfile", anchor, "-untrusted", str(chain), str(chain))
        return str(made["serial"])

    def certificates(self) -> list[tuple[str, str]]:
        listed = self.server.json("certificate", "list", "--limit", "100", user="operator")
        return sorted((one["serial"], one["sha256"]) for one in listed)

    def crl_number(self, ca: str) -> int:
        with urllib.request.urlopen(f"{self.server.facts['http']}/crl/{ca}.crl") as answer:
            crl = x509.load_der_x509_crl(answer.read())
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    def refusal(self) -> Any:
        """What the issuing CA answers when it is asked to sign a CRL; None if it signs."""
        done = self.server.run("crl", "issue", "--ca", "corp-issuing", "--json", user="operator")
        return json.loads(done.stderr) if done.returncode else None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("life")
    (root / "air-gap").mkdir()
    hsm = SoftHsm.create(root / "tokens")
    for label in ("root", "issuing"):
        hsm.add(label)
    made = Instance.create(root / "server")
    with (made.directory / "chancery.toml").open("a") as file:
        file.write(hsm.settings("issuing") + f'\n[backup]\nmedium = "{root}/usb"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", hsm.environment["SOFTHSM2_CONF"])
        made.start()
        yield World(root, hsm, made)
        made.stop()


def found(world: World) -> None:
    """The root is made, and certifies the issuing CA by a bundle."""
    run, room = world.server.json, world.root / "air-gap"
    http = world.server.facts["http"]
    made = world.ceremony("founding", FOUNDING.replace("HTTP", http))
    assert made.returncode == 0, made.stderr
    listed = world.hsm.tool("--list-objects", "--type", "privkey", label="root")
    assert "Access:     sensitive, always sensitive, never extractable, local" in listed

    run("ca", "import", "corp-root", str(room / "founding" / "corp-root.pem"),
        "--container", "main", "--offline", user="operator")  # fmt: skip
    run("ca", "create", "corp-issuing", "--container", "main", "--external", "--vault", "issuing",
        "--subject", "CN=Corp Issuing,O=Example GmbH,C=DE", user="operator")  # fmt: skip
    request = str(room / "request.json")
    exported = ("--ca", "corp-issuing", "--crl", "corp-root", "-o", request)
    assert world.server.run("bundle", "export", *exported, user="operator").returncode == 0
    shutil.copy(world.server.directory / "audit.vkey", room)
    answered = world.ceremony("answer", ANSWER)
    assert answered.returncode == 0, answered.stderr
    run("bundle", "import", str(room / "answer" / "answer.txt"),
        "--key", str(room / "founding" / "corp.vkey"), user="operator")  # fmt: skip
    document = {
        "name": "corp", "profiles": ["tls-server"], "authorities": ["corp-issuing"],
        "approval_group": "officers", "approvals": 0, "anonymous": False,
    }  # fmt: skip
    (world.root / "ra.json").write_text(json.dumps(document))
    run("ra", "put", str(world.root / "ra.json"), user="admin")


def back_up(world: World) -> Path:
    """Everything onto the medium: the source key 3 of 5, the device's behind a PIN, two people."""
    run, root = world.server.json, world.root
    (root / "pin").touch(0o600)
    (root / "pin").write_text("correct7horse\n")
    people = [word for name in PEOPLE for word in ("--custodian", name)]
    run("backup", "source", "init", str(root / "source"), "--threshold", "3", *people)
    run("backup", "device", "init", str(root / "usb"), "--label", "USB", "--pin-file", str(root / "pin"),
        "--vkey", str(world.server.directory / "audit.vkey"),
        "--recovery-file", str(root / "recovery"))  # fmt: skip
    for words in (
        ("source", "register", str(root / "source" / "source.json")),
        ("device", "register", str(root / "usb")),
    ):
        key = run("backup", *words, user="operator")
        run("backup", "key", "approve", key["id"], user="admin")
    second = world.server.facts["users"]["admin"]["token_file"]
    run("backup", "create", "--wait", "--second-token-file", second, user="operator")
    (backup,) = (root / "usb" / "backups").glob("*.age")
    return backup


def restore(world: World, backup: Path) -> None:
    words = [str(backup), str(world.server.directory), "--device", str(world.root / "usb"),
             "--pin-file", str(world.root / "pin")]  # fmt: skip
    for who in ("grace", "alan", "ada"):
        words += ["--share-file", str(world.root / "source" / f"{who}.share.txt")]
    done = world.server.run("backup", "restore", *words)
    assert done.returncode == 0, done.stderr


def test_the_whole_life(world: World) -> None:
    found(world)
    first = world.issue("first.example.org")
    assert world.refusal() is None
    number = world.crl_number("corp-issuing")
    backup = back_up(world)
    before = world.certificates()
    assert first in [serial for serial, _ in before]

    world.server.kill()
    shutil.rmtree(world.server.directory)
    restore(world, backup)
    config = str(world.server.directory / "chancery.toml")
    log = world.server.json("audit", "new-key", "--config", config, "--vault", "issuing")
    world.server.start()

    assert world.certificates() == before
    checked = world.server.run("audit", "verify", str(world.server.directory))
    assert checked.returncode == 0, checked.stdout
    checkpoint = (world.server.directory / "audit" / "checkpoint").read_text()
    assert checkpoint.startswith(f"{log['log']}\n")
    listed = world.hsm.tool("--list-objects", "--type", "privkey", label="issuing")
    assert f"audit-{log['log'].rpartition('/')[2]}\n" in listed  # its key is on the token, too
    wait_for(lambda: world.crl_number("corp-issuing") > number, seconds=20, what="a new CRL")
    second = world.issue("second.example.org")
    assert second not in [serial for serial, _ in before]


def test_a_lost_token_and_another_of_its_name(world: World) -> None:
    """Its CA alone stops; neither a token without the key signs, nor one with another key."""
    world.hsm.remove()
    tokens = world.hsm.home / "tokens"
    tokens.mkdir()
    try:
        wait_for(lambda: bool(world.refusal()), seconds=20, what="the loss")
        assert world.refusal()["rule"] == "vault.away"
        assert world.crl_number("corp-issuing") > 0  # what was signed is served
        issued = world.server.run("crl", "issue", "--ca", "issuing-ca", user="operator")
        assert issued.returncode == 0
        world.hsm.add("issuing")
        wait_for(
            lambda: world.refusal()["rule"] == "vault.key-missing", seconds=20, what="another one"
        )
        label, _, object_id = world.refusal()["detail"].partition("label ")[2].partition(" and id ")
        world.hsm.tool("--keypairgen", "--key-type", "EC:secp384r1", "--label", label,
                       "--id", object_id, "--usage-sign", label="issuing")  # fmt: skip
        assert world.refusal()["rule"] == "vault.wrong-key"
    finally:
        shutil.rmtree(tokens)
        world.hsm.put_back()
    wait_for(lambda: world.refusal() is None, seconds=20, what="the right token")
