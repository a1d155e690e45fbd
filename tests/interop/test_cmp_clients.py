"""``openssl cmp`` against one running instance: every command, every kind of protection."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from services.instance import CHANCERY, Instance, clean_environment
from services.rest import Rest

pytestmark = pytest.mark.interop


@dataclass
class Place:
    """A running instance, and a directory for what clients leave."""

    instance: Instance
    directory: Path

    @property
    def http(self) -> str:
        return str(self.instance.facts["http"]).removeprefix("http://")

    @property
    def https(self) -> str:
        return str(self.instance.facts["https"])

    def secret(self, subject: str, *names: str, label: str = "main") -> list[str]:
        """Options of a client that holds a secret for *subject*."""
        body = {"door": f"cmp/{label}", "kind": "secret"}
        bound = {"binding": {"subject": subject, "names": list(names)}}
        made = Rest(self.instance, "officer1")("POST", "/credentials", body | bound)
        assert made.status == 201, made.body
        return ["-ref", made.body["reference"], "-secret", f"pass:{made.body['secret']}"]

    def door(self, label: str, **changes: object) -> str:
        """A door of that label; where it is."""
        body = {"ra": "main", "profile": "device", **changes}
        reply = Rest(self.instance, "admin")("PUT", f"/doors/cmp/{label}", body)
        assert reply.status == 200, reply.body
        return f"{self.http}/pkix/{label}"

    def key(self, name: str, kind: str = "prime256v1") -> Path:
        path = self.directory / name
        if kind == "rsa":
            self.run("openssl", "genrsa", "-out", path, "2048")
        elif kind == "ed25519":
            self.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", path)
        else:
            self.run("openssl", "ecparam", "-name", kind, "-genkey", "-noout", "-out", path)
        return path

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)), cwd=self.directory, env=clean_environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def cmp(
        self, *options: object, server: str | None = None, ok: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command, and believe it as little as a person would."""
        done = self.run(
            "openssl", "cmp", "-config", "", "-recipient", "/CN=CA", "-verbosity", "6",
            "-server", server or f"{self.http}/.well-known/cmp/p/main", *options,
        )  # fmt: skip
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    def trusting(self, name: str) -> list[object]:
        """Options of whoever holds the certificate and key of that name."""
        anchors = ["-trusted", "anchors.pem", "-untrusted", "anchors.pem"]
        return [*anchors, "-cert", f"{name}.pem", "-key", f"{name}.key"]

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.directory / name).read_bytes())

    def enrolled(self, name: str, kind: str = "prime256v1") -> str:
        """A device with NAME.key and NAME.pem."""
        self.key(f"{name}.key", kind)
        self.cmp("-cmd", "ir", *self.secret(f"CN={name}"), "-newkey", f"{name}.key",
                 "-subject", f"/CN={name}", "-certout", f"{name}.pem", "-implicit_confirm",
                 "-cacertsout", "anchors.pem")  # fmt: skip
        return name


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("cmp")
    with Instance.create(directory / "instance").serving() as instance:
        yield Place(instance, directory)


@pytest.fixture(scope="module")
def device(place: Place) -> str:
    return place.enrolled("device-1")


def refused(done: subprocess.CompletedProcess[str], failure: str) -> None:
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert f"PKIFailureInfo: {failure}" in told, told


@pytest.mark.parametrize(
    ("mac", "confirm"),
    [("hmac-sha1", ""), ("hmacWithSHA256", "-implicit_confirm"), ("hmacWithSHA512", "")],
)
def test_ir_by_a_secret(place: Place, mac: str, confirm: str) -> None:
    name = f"ir-{mac}{confirm}".lower()
    place.key(f"{name}.key")
    options = [option for option in (confirm,) if option]
    done = place.cmp("-cmd", "ir", *place.secret(f"CN={name},O=Example"), "-mac", mac,
                     "-newkey", f"{name}.key", "-subject", f"/O=Example/CN={name}",
                     "-certout", f"{name}.pem", "-cacertsout", "cas.pem", *options)  # fmt: skip
    assert ("PKICONF" in done.stdout + done.stderr) is (not confirm)
    assert place.certificate(f"{name}.pem").subject.rfc4514_string() == f"CN={name},O=Example"
    verified = place.run("openssl", "verify", "-CAfile", "cas.pem", f"{name}.pem")
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize("path", ["", "/initialization"])
def test_ir_over_tls(place: Place, path: str) -> None:
    name = f"tls{path.replace('/', '-')}"
    place.key(f"{name}.key")
    place.cmp("-cmd", "ir", *place.secret(f"CN={name}"), "-newkey", f"{name}.key",
              "-subject", f"/CN={name}", "-certout", f"{name}.pem", "-tls_used",
              "-tls_trusted", place.instance.facts["ca_bundle"],
              server=f"{place.https}/.well-known/cmp/p/main{path}")  # fmt: skip


def test_the_command_makes_secrets(place: Place) -> None:
    made = place.instance.json(
        *("cmp", "secret", "create", "--ra", "main", "--subject", "CN=x", "--san", "dns:x.example"),
        user="officer1",
    )
    assert {"id", "reference", "secret"} <= made.keys()
    assert made["binding"]["names"] == ["dns:x.example"]


def test_our_own_client(place: Place) -> None:
    """The command enrols by a secret, renews by the certificate, and has it revoked."""
    secret = place.secret("CN=own")
    (place.directory / "own.txt").write_text(secret[3].removeprefix("pass:"))
    (place.directory / "own.txt").chmod(0o600)
    url = f"{place.instance.facts['http']}/.well-known/cmp/p/main"
    new = ("--key", "own.key", "-o", "own.pem", "--chain-out", "own-chain.pem")
    by_secret = ("--reference", secret[1], "--secret-file", "own.txt")
    made = place.run(CHANCERY, "cmp", "request", url, "--subject", "CN=own", *new, *by_secret)
    assert made.returncode == 0, made.stderr
    held = ("--certificate", "own.pem", "--certificate-key", "own.key", "--trust", "own-chain.pem")
    renewed = place.run(CHANCERY, "cmp", "request", url, "--body", "kur", "--key", "own-2.key",
                        "-o", "own-2.pem", *held)  # fmt: skip
    assert renewed.returncode == 0, renewed.stderr
    gone = place.run(CHANCERY, "cmp", "revoke-certificate", url, *held, "--reason", "4")
    assert gone.returncode == 0, gone.stderr
    again = place.run(CHANCERY, "cmp", "revoke-certificate", url, *held)
    assert again.returncode != 0
    assert "signer_not_trusted" in again.stderr


def test_p10cr(place: Place) -> None:
    place.key("p10.key")
    place.run("openssl", "req", "-new", "-key", "p10.key", "-subj", "/CN=p10", "-out", "p10.csr",
              "-addext", "subjectAltName=DNS:p10.example.org")  # fmt: skip
    secret = place.secret("CN=p10", "dns:p10.example.org")
    place.cmp("-cmd", "p10cr", "-csr", "p10.csr", *secret, "-certout", "p10.pem",
              server=f"{place.http}/pkix/main")  # fmt: skip


@pytest.mark.parametrize("kind", ["rsa", "prime256v1", "secp384r1"])
def test_a_device_signs_with_what_it_has(place: Place, kind: str) -> None:
    """cr, kur, genm and rr, one after another."""
    name = place.enrolled(f"life-{kind}", kind)
    place.key("new.key", kind)
    place.cmp("-cmd", "cr", *place.trusting(name), "-newkey", "new.key", "-subject", f"/CN={name}",
              "-certout", "second.pem")  # fmt: skip
    place.key(f"{name}-3.key", kind)
    place.cmp("-cmd", "kur", *place.trusting(name), "-newkey", f"{name}-3.key",
              "-certout", f"{name}-3.pem", "-implicit_confirm")  # fmt: skip
    for asked in ("caCerts", "currentCRL", "signKeyPairTypes"):
        place.cmp("-cmd", "genm", "-infotype", asked, *place.trusting(name))
    revoked = f"{name}-3"
    place.cmp("-cmd", "rr", *place.trusting(revoked), "-oldcert", f"{revoked}.pem",
              "-revreason", "1")  # fmt: skip
    again = place.cmp(
        "-cmd", "rr", *place.trusting(revoked), "-oldcert", f"{revoked}.pem", ok=False
    )
    refused(again, "signerNotTrusted")


def test_polling_until_people_have_decided(place: Place) -> None:
    slow = place.door("slow", approvals=1, settings={"check_after_s": 1})
    place.key("slow.key")
    command = [
        "openssl", "cmp", "-config", "", "-recipient", "/CN=CA", "-cmd", "ir", "-newkey",
        "slow.key", "-subject", "/CN=slow", "-certout", "slow.pem", "-total_timeout", "30",
        "-server", slow, *place.secret("CN=slow", label="slow"),
    ]  # fmt: skip
    client = subprocess.Popen(
        command, cwd=place.directory, env=clean_environment(), stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    officer = Rest(place.instance, "officer1")
    waiting: list[dict[str, Any]] = []
    for _ in range(100):
        waiting = list(officer("GET", "/requests?state=pending").body["items"])
        if waiting:
            break
        time.sleep(0.05)
    reply = officer("POST", f"/requests/{waiting[0]['id']}/approve", {})
    assert reply.status == 200, reply.body
    out, told = client.communicate(timeout=40)
    assert client.returncode == 0, out + told
    assert "POLLREQ" in out + told
    place.certificate("slow.pem")


def test_a_registration_authority_vouches(place: Place, device: str) -> None:
    pem = (place.directory / f"{device}.pem").read_text()
    trusting = place.door("ra")
    changed = place.instance.json(
        "cmp", "trust", str(place.directory / f"{device}.pem"), "--ra", "main", "--label", "ra",
        user="admin",
    )  # fmt: skip
    assert changed["settings"]["trusted_ras"] == [pem]
    place.key("vouched.key")
    wish = ["-cmd", "ir", "-popo", "0", "-newkey", "vouched.key", "-subject", "/CN=vouched",
            "-certout", "vouched.pem", *place.trusting(device)]  # fmt: skip
    place.cmp(*wish, server=trusting)
    refused(place.cmp(*wish, ok=False), "badPOP")


def test_what_is_refused(place: Place, device: str) -> None:
    secret = place.secret("CN=refused")
    anchors = ["-trusted", "anchors.pem", "-untrusted", "anchors.pem"]
    ir = ["-cmd", "ir", "-newkey", f"{device}.key", "-subject", "/CN=refused", "-certout", "x.pem"]
    wrong = ["-ref", secret[1], "-secret", "pass:wrong", *anchors]
    refused(place.cmp(*ir, *wrong, ok=False), "badMessageCheck")
    nobody = ["-ref", "nobody", "-secret", "pass:wrong", *anchors]
    refused(place.cmp(*ir, *nobody, ok=False), "badMessageCheck")
    refused(place.cmp(*ir, "-unprotected_requests", *anchors, ok=False), "badMessageCheck")
    refused(place.cmp(*ir, *secret, "-popo", "0", ok=False), "badPOP")
    refused(place.cmp(*ir, *secret, "-popo", "-1", ok=False), "badPOP")
    kur = ["-cmd", "kur", "-oldcert", f"{device}.pem", "-newkey", f"{device}.key"]
    refused(place.cmp(*kur, *secret, "-certout", "x.pem", ok=False), "wrongIntegrity")
    rr = ["-cmd", "rr", "-oldcert", f"{device}.pem"]
    refused(place.cmp(*rr, *secret, ok=False), "wrongIntegrity")
    cr = ["-cmd", "cr", "-newkey", f"{device}.key", "-subject", "/CN=admin", "-certout", "x.pem"]
    refused(place.cmp(*cr, *place.trusting(device), ok=False), "notAuthorized")
    other = ["-cmd", "ir", "-newkey", f"{device}.key", "-subject", "/CN=admin", "-certout", "x.pem"]
    refused(place.cmp(*other, *secret, ok=False), "notAuthorized")  # and the secret is lost by it
    assert not (place.directory / "x.pem").exists()
