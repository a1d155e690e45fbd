"""Real SCEP clients against one running instance: what they ask for, in their own words."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from services.instance import Instance, clean_environment
from services.rest import Rest

pytestmark = pytest.mark.interop


class Place:
    """A running instance, and a directory for what clients leave."""

    def __init__(self, instance: Instance, directory: Path) -> None:
        self.instance = instance
        self.directory = directory
        self.rest = Rest(instance, "admin")

    @property
    def url(self) -> str:
        return f"{self.instance.facts['http']}/scep/{self.instance.facts['scep_label']}"

    def door(self, label: str, **changes: object) -> str:
        """A door with that label; its URL."""
        body = {"ra": "main", "profile": "device", **changes}
        reply = self.rest("PUT", f"/doors/scep/{label}", body)
        assert reply.status == 200, reply.body
        return f"{self.instance.facts['http']}/scep/{label}"

    def otp(self, subject: str, san: str, label: str = "main") -> str:
        made = self.instance.json(
            *("scep", "otp", "create", "--ra", "main", "--label", label, "--subject", subject),
            *("--san", f"dns:{san}", "--profile", "device", "--expires", "1h"),
            user="officer1",
        )
        assert {"id", "otp", "expires_at"} <= made.keys()
        return str(made["otp"])

    def run(self, *command: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            list(map(str, command)), cwd=self.directory, env=clean_environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert not ok or done.returncode == 0, done.stderr + done.stdout
        return done

    def traffic(self, count: int) -> list[dict[str, Any]]:
        """What the door saw, once so many messages are on record."""
        deadline = time.monotonic() + 10
        seen: list[dict[str, Any]] = []
        while len(seen) < count and time.monotonic() < deadline:
            seen = self.rest("GET", "/doors/scep/main/traffic").body
        return seen


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("scep")
    with Instance.create(directory / "instance").serving() as instance:
        yield Place(instance, directory)


class StrongSwan:
    """``pki --scep``; its files begin with *name*."""

    def __init__(self, place: Place, url: str, name: str) -> None:
        self.place, self.url, self.name = place, url, name
        place.run("pki", "--scepca", "--url", url, "--outform", "pem",
                  "--caout", f"{name}-ca.pem", "--raout", f"{name}-ra.pem")  # fmt: skip

    def key(self, name: str) -> str:
        made = self.place.run("openssl", "genrsa", "-out", name, "2048")
        assert made.returncode == 0
        return name

    def command(self, key: str, subject: str, san: str, *more: str) -> list[str]:
        # The root is written to -ca.pem, the issuing CA to -ca-1.pem.
        root, issuing = f"{self.name}-ca.pem", f"{self.name}-ca-1.pem"
        return [
            "pki", "--scep", "--url", self.url, "--in", key, "--dn", subject, "--san", san,
            "--cacert-enc", f"{self.name}-ra.pem", "--cacert-sig", issuing,
            "--cacert", root, "--cacert", issuing, "--outform", "pem", *more,
        ]  # fmt: skip

    def enrol(self, key: str, subject: str, san: str, *more: str) -> x509.Certificate:
        done = self.place.run(*self.command(key, subject, san, *more))
        return x509.load_pem_x509_certificate(done.stdout.encode())


def test_strongswan_enrols_and_renews(place: Place) -> None:
    swan = StrongSwan(place, f"{place.url}/pkiclient.exe", "a")
    one_time = place.otp("CN=swan,O=T", "swan.test")
    first = swan.enrol(swan.key("a.key"), "CN=swan,O=T", "swan.test", "--password", one_time)
    assert first.subject.rfc4514_string() in ("CN=swan,O=T", "O=T,CN=swan")
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["swan.test"]

    pem = first.public_bytes(Encoding.PEM)
    (place.directory / "a.pem").write_bytes(pem)
    renewed = swan.enrol(
        swan.key("a2.key"), "CN=swan,O=T", "swan.test", "--cert", "a.pem", "--key", "a.key"
    )
    assert renewed.subject == first.subject
    assert renewed.serial_number != first.serial_number

    again = place.run(
        *swan.command(swan.key("b.key"), "CN=swan,O=T", "swan.test", "--password", one_time),
        ok=False,
    )
    assert again.returncode != 0  # spent
    other = place.otp("CN=swan,O=T", "swan.test")
    stolen = place.run(
        *swan.command("b.key", "CN=admin,O=T", "swan.test", "--password", other), ok=False
    )
    assert stolen.returncode != 0  # bound to another identity, and burnt
    burnt = place.run(
        *swan.command("b.key", "CN=swan,O=T", "swan.test", "--password", other), ok=False
    )
    assert burnt.returncode != 0
    seen = [(one["operation"], one["outcome"]) for one in place.traffic(5)]
    assert seen[::-1] == [
        ("PKCSReq", "ok"),
        ("RenewalReq", "ok"),
        ("PKCSReq", "credential.valid"),
        ("PKCSReq", "credential.binding"),
        ("PKCSReq", "credential.valid"),
    ]


def test_strongswan_waits_for_two_people(place: Place) -> None:
    url = place.door("wait", approvals=2)
    swan = StrongSwan(place, url, "w")
    one_time = place.otp("CN=slow", "slow.test", "wait")
    command = swan.command(
        swan.key("w.key"), "CN=slow", "slow.test", "--password", one_time,
        "--interval", "1", "--maxpolltime", "30",
    )  # fmt: skip
    waiting = subprocess.Popen(
        command, cwd=place.directory, env=clean_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    request = None
    while request is None and time.monotonic() < deadline:
        found = place.instance.json("request", "list", "--state", "pending", user="officer1")
        request = next((one for one in found if "slow" in one["subject"]), None)
    assert request is not None
    for officer in ("officer1", "officer2"):
        assert waiting.poll() is None
        reply = Rest(place.instance, officer)("POST", f"/requests/{request['id']}/approve", {})
        assert reply.status == 200, reply.body
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, err.decode()
    assert x509.load_pem_x509_certificate(out).subject.rfc4514_string() == "CN=slow"


CERTMONGER = """
export CERTMONGER_REQUESTS_DIR=$PWD/requests CERTMONGER_CAS_DIR=$PWD/cas CERTMONGER_LOCAL_CA_DIR=$PWD/local
mkdir -p requests cas local
certmonger -s -n -d 1 > certmonger.log 2>&1 & daemon=$!
trap "kill $daemon" EXIT
until getcert list -s >/dev/null 2>&1; do sleep 0.1; done
getcert add-scep-ca -s -c x -u {url} -R $PWD/c-ca.pem -N $PWD/c-ca-1.pem -r $PWD/c-ra.pem
until getcert list-cas -s -c x | grep -q thumbprint; do sleep 0.1; done
getcert request -s -c x -I id -k $PWD/c.key -f $PWD/c.pem -N CN=monger -D monger.test -L {otp} -w
cp c.pem c1.pem
getcert resubmit -s -i id -w
cp c.pem c2.pem
getcert rekey -s -i id -w
cp c.pem c3.pem
getcert list -s
"""


def test_certmonger_enrols_renews_and_takes_a_new_key(place: Place) -> None:
    """It asks by GET, with messages of several thousand octets in the address."""
    StrongSwan(place, place.url, "c")
    one_time = place.otp("CN=monger", "monger.test")
    (place.directory / "c.sh").write_text(
        CERTMONGER.replace("{url}", place.url).replace("{otp}", one_time)
    )
    done = place.run("dbus-run-session", "--", "bash", "c.sh")
    assert "status: MONITORING" in done.stdout, (place.directory / "certmonger.log").read_text()
    first, renewed, rekeyed = (
        x509.load_pem_x509_certificate((place.directory / f"c{n}.pem").read_bytes())
        for n in (1, 2, 3)
    )
    assert len({one.serial_number for one in (first, renewed, rekeyed)}) == 3
    assert {one.subject for one in (first, renewed, rekeyed)} == {first.subject}
    assert first.public_key() == renewed.public_key()
    assert renewed.public_key() != rekeyed.public_key()


def test_micromdms_client_speaks_what_nobody_should(place: Place) -> None:
    """Single DES and SHA-1: refused by a door that is open to old devices, too."""
    for label, legacy in (("new", False), ("old", True)):
        url = place.door(label, settings={"legacy": legacy})
        StrongSwan(place, url, label)
        pem = (place.directory / f"{label}-ra.pem").read_bytes()
        fingerprint = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
        done = place.run(
            "scepclient", "-private-key", "m.key", "-certificate", "m.pem",
            "-server-url", url, "-challenge", "x", "-cn", "m", "-organization", "O",
            "-country", "DE", "-ca-fingerprint", fingerprint, ok=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert "badAlg" in done.stdout + done.stderr
        assert not (place.directory / "m.pem").exists()
