"""CA trees made with the command line against a served instance, judged by OpenSSL."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509

from services.csr import p256_csr
from services.foreign import openssl, wait_for
from services.instance import Instance
from services.rest import Reply, Rest

pytestmark = pytest.mark.interop


@dataclass
class House:
    """A served instance; *operator* runs its CAs."""

    instance: Instance
    folder: Path
    served: list[str] = field(default_factory=list)  # CAs with an RA of their own
    numbers: Iterator[int] = field(default_factory=count)

    def ca(self, *words: str | Path) -> dict[str, object]:
        answer = self.instance.json("ca", *map(str, words), user="operator")
        assert isinstance(answer, dict)
        return answer

    def create(self, name: str, *words: str) -> None:
        made = self.ca("create", name, "--container", "main", "--subject", f"CN={name},O=E", *words)
        assert made["name"] == name

    def export(self, name: str, form: str = "pem") -> Path:
        path = self.folder / f"{name}-{next(self.numbers)}.{form}"
        done = self.instance.run("ca", "export", name, "--format", form, "-o", str(path))
        assert done.returncode == 0, done.stderr
        return path

    def submit(self, ca: str) -> Reply:
        """Ask for a leaf of *ca* through an RA that needs no approvals."""
        if ca not in self.served:
            document = {
                "name": f"ra-{ca}",
                "profiles": ["tls-server"],
                "authorities": [ca],
                "approval_group": "officers",
                "approvals": 0,
                "anonymous": False,
            }
            put = Rest(self.instance, "admin")("PUT", f"/ras/ra-{ca}", document)
            assert put.status in (200, 201), put
            self.served.append(ca)
        return Rest(self.instance, "requester").submit(p256_csr("a.example.org"), ra=f"ra-{ca}")

    def leaf(self, ca: str) -> Path:
        issued = self.submit(ca)
        assert issued.status == 201, issued
        path = self.folder / f"{issued.body['serial']}.pem"
        path.write_text(issued.body["certificate"])
        return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("tree")
    with Instance.create(folder / "instance").serving() as instance:
        yield House(instance, folder)


def verify(root: Path, chain: Path, leaf: Path) -> None:
    said = openssl(
        "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(root),
        "-untrusted", str(chain), str(leaf),
    )  # fmt: skip
    assert said.strip().endswith("OK")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rsa", ["--key-algorithm", "rsa-3072", "--signature-algorithm", "rsa-pss-sha256"]),
        ("p384", ["--key-algorithm", "ec-p384"]),
        ("ed25519", ["--key-algorithm", "ed25519"]),
    ],
)
def test_three_levels(house: House, kind: str, words: list[str]) -> None:
    root, middle, issuing = f"{kind}-root", f"{kind}-middle", f"{kind}-issuing"
    house.create(root, *words)
    house.create(middle, "--parent", root, "--path-length", "1", *words)
    house.create(issuing, "--parent", middle, "--path-length", "0", *words)
    verify(house.export(root), house.export(issuing, "chain"), house.leaf(issuing))
    refused = house.instance.run(
        "ca", "create", f"{kind}-deeper", "--container", "main", "--subject", "CN=deep",
        "--parent", issuing, user="operator",
    )  # fmt: skip
    assert refused.returncode == 2, refused.stderr


def test_post_quantum(house: House) -> None:
    """OpenSSL 3.0 knows no ML-DSA: pyca judges."""
    house.create("pq-root", "--key-algorithm", "ml-dsa-65")
    house.create("pq-issuing", "--parent", "pq-root", "--key-algorithm", "ml-dsa-65")
    root, issuing, leaf = (
        x509.load_pem_x509_certificate(path.read_bytes())
        for path in (house.export("pq-root"), house.export("pq-issuing"), house.leaf("pq-issuing"))
    )
    root.verify_directly_issued_by(root)
    issuing.verify_directly_issued_by(root)
    leaf.verify_directly_issued_by(issuing)


CA_EXTENSIONS = (
    "basicConstraints=critical,CA:TRUE,pathlen:{length}\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
)


def foreign_root(folder: Path, name: str) -> tuple[Path, Path]:
    """(certificate, key) of a root that openssl made."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes",
        "-keyout", str(key), "-out", str(certificate), "-subj", f"/O=Elsewhere/CN={name}",
        "-days", "3650", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    return certificate, key


def test_a_root_elsewhere_certifies_ours(house: House, tmp_path: Path) -> None:
    root, key = foreign_root(tmp_path, "foreign")
    house.create("guest", "--external", "--key-algorithm", "ec-p256")
    assert house.submit("guest").status >= 400  # not before it has a certificate
    csr, certificate, extensions = (tmp_path / name for name in ("csr", "guest.pem", "ext"))
    done = house.instance.run("ca", "csr", "guest", "-o", str(csr), user="operator")
    assert done.returncode == 0, done.stderr
    extensions.write_text(CA_EXTENSIONS.format(length=0))
    openssl(
        "x509", "-req", "-in", str(csr), "-CA", str(root), "-CAkey", str(key), "-days", "365",
        "-extfile", str(extensions), "-out", str(certificate),
    )  # fmt: skip
    house.ca("upload", "guest", certificate, "--chain", root)
    verify(root, house.export("guest", "chain"), house.leaf("guest"))


def test_a_ca_moves_in_with_its_key(house: House, tmp_path: Path) -> None:
    root, key = foreign_root(tmp_path, "mover")
    both, passphrase = tmp_path / "mover.p12", tmp_path / "passphrase"
    passphrase.write_text("correct horse battery\n")
    openssl(
        "pkcs12", "-export", "-in", str(root), "-inkey", str(key), "-out", str(both),
        "-passout", f"file:{passphrase}",
    )  # fmt: skip
    moved = house.ca(
        "import", "mover", "--container", "main", "--pkcs12", both, "--passphrase-file", passphrase
    )
    assert moved["state"] == "active"
    verify(root, house.export("mover", "chain"), house.leaf("mover"))


def test_renewal_with_the_same_key_and_with_a_new_one(house: House) -> None:
    house.create("old", "--key-algorithm", "ec-p256")
    house.create("renewed", "--parent", "old", "--key-algorithm", "ec-p256", "--days", "400")
    root = house.export("old")
    first, before = house.leaf("renewed"), house.export("renewed").read_bytes()

    house.ca("renew", "renewed", "--days", "800")
    again = house.export("renewed", "chain")
    assert house.export("renewed").read_bytes() != before
    verify(root, again, first)  # the same key: what it signed before still verifies
    verify(root, again, house.leaf("renewed"))

    house.ca("renew", "renewed", "--new-key")
    newest = house.export("renewed", "chain")
    verify(root, newest, house.leaf("renewed"))
    verify(root, again, first)
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", root, "-untrusted", newest, first],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0  # another key


def test_cross_certification(house: House, tmp_path: Path) -> None:
    """Who trusts only the old root accepts leaves below the new one."""
    house.create("trusted", "--key-algorithm", "ec-p384")
    house.create("newcomer", "--key-algorithm", "ec-p256")
    cross = tmp_path / "cross.pem"
    house.ca("cross-sign", "trusted", house.export("newcomer"), "-o", cross)
    verify(house.export("trusted"), cross, house.leaf("newcomer"))


def test_a_disabled_ca_issues_nothing_but_status(house: House) -> None:
    house.create("tired", "--key-algorithm", "ec-p256")
    leaf = house.leaf("tired")
    serial = openssl("x509", "-in", str(leaf), "-noout", "-serial").strip().partition("=")[2]
    house.ca("disable", "tired")
    assert house.submit("tired").status == 409
    revoked = house.instance.run("certificate", "revoke", serial, "--reason", "superseded", user="officer1")  # fmt: skip
    assert revoked.returncode == 0, revoked.stderr

    certificate = house.export("tired")
    asked = openssl(
        "ocsp", "-issuer", str(certificate), "-CAfile", str(certificate), "-serial",
        f"0x{serial}", "-url", f"{house.instance.facts['http']}/ocsp/tired", "-timeout", "5",
    )  # fmt: skip
    assert "revoked" in asked

    def listed() -> bool:
        url = f"{house.instance.facts['http']}/crl/tired.crl"
        with urllib.request.urlopen(url, timeout=5) as answer:
            crl = x509.load_der_x509_crl(answer.read())
        return crl.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None

    wait_for(listed, seconds=10, what="the CRL of a disabled CA")
    house.ca("enable", "tired")
    assert house.submit("tired").status == 201


def test_an_offline_root_by_ceremony(house: House, tmp_path: Path) -> None:
    office = tmp_path / "ceremony"
    run = house.instance.run
    people = ["--operator", "ada", "--operator", "grace"]
    done = run("ceremony", "init-root", str(office), "--subject", "CN=Offline Root,O=E", *people)
    assert done.returncode == 0, done.stderr
    root = office / "root.pem"
    house.ca("import", "offline", root, "--container", "main", "--offline")
    house.create("below", "--external", "--key-algorithm", "ec-p256")
    csr, chain = tmp_path / "below.csr", tmp_path / "below.pem"
    assert run("ca", "csr", "below", "-o", str(csr), user="operator").returncode == 0
    done = run(
        "ceremony", "sign-subordinate", str(office), "--csr", str(csr), "--out", str(chain), *people
    )
    assert done.returncode == 0, done.stderr
    house.ca("upload", "below", chain)
    verify(root, house.export("below", "chain"), house.leaf("below"))


def test_a_planned_key_takes_over_by_itself(house: House) -> None:
    house.create("rolling-root", "--key-algorithm", "ec-p256")
    before, day = house.export("rolling-root").read_bytes(), int(time.time()) + 4
    house.ca("renew", "rolling-root", "--new-key", "--takes-over", str(day))
    assert house.export("rolling-root").read_bytes() == before
    wait_for(lambda: house.export("rolling-root").read_bytes() != before, seconds=20, what="it")
    assert time.time() >= day
    house.leaf("rolling-root")
