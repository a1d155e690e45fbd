"""A TLS client certificate of this instance opens the account it is bound to, and no other, while it is valid."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.foreign import openssl
from services.instance import Instance, clean_environment
from services.rest import Rest

pytestmark = pytest.mark.interop


@dataclass(frozen=True)
class Identity:
    """A client's key, its certificate with chain, and the serial."""

    key: Path
    chain: Path
    serial: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Its RA ``clients`` issues TLS client certificates at once."""
    with Instance.create(tmp_path_factory.mktemp("mtls") / "instance").serving() as instance:
        document = {
            "name": "clients",
            "profiles": ["tls-client", "tls-server"],
            "authorities": [instance.facts["issuing"]],
            "approval_group": "officers",
            "approvals": 0,
            "anonymous": False,
            "accept_risks": {"esc1-requester-names": "nothing trusts the CA of a test"},
        }
        assert Rest(instance, "admin")("PUT", "/ras/clients", document).status == 200
        yield instance


def enrol(instance: Instance, folder: Path, profile: str = "tls-client") -> Identity:
    folder.mkdir()
    key, csr, chain = folder / "key.pem", folder / "csr.pem", folder / "chain.pem"
    openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", str(key), "-out", str(csr), "-subj", "/CN=robot.example.org",
        "-addext", "subjectAltName=DNS:robot.example.org",
    )  # fmt: skip
    submitted = instance.json(
        "request", "submit", str(csr), "--profile", profile, "--ra", "clients", user="requester"
    )
    done = instance.run(
        "request", "download", submitted["id"], "--format", "chain", "-o", str(chain),
        user="requester",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Identity(key, chain, submitted["serial"])


def bind(instance: Instance, identity: Identity, user: str) -> None:
    bound = instance.json("user", "bind-certificate", user, str(identity.chain), user="admin")
    assert bound["user"] == user if "user" in bound else bound["sha256"]


def curl(instance: Instance, identity: Identity, *words: str) -> tuple[int, dict[str, object]]:
    """(status, document) of GET /api/v1/me, as curl sees it; status 0 if TLS failed."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "10", "--cacert", instance.facts["ca_bundle"],
         "--cert", identity.chain, "--key", identity.key, "-w", "\n%{http_code}", *words,
         f"{instance.facts['https']}/api/v1/me"],
        capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), json.loads(body) if body else {"error": done.stderr}


def test_a_bound_certificate_opens_its_account(served: Instance, tmp_path: Path) -> None:
    identity = enrol(served, tmp_path / "a")
    bind(served, identity, "officer1")

    status, me = curl(served, identity)
    assert (status, me["name"], me["method"]) == (200, "officer1", "certificate"), me
    assert me["roles"] == ["ra-officer"]
    # An Authorization field counts before the certificate, and a bad one is refused.
    assert curl(served, identity, "-H", "Authorization: Bearer chy_x")[0] == 401

    served.json("certificate", "hold", identity.serial, user="officer2")
    assert curl(served, identity)[0] == 401
    served.json("certificate", "release", identity.serial, user="officer2")
    assert curl(served, identity)[0] == 200
    served.json("certificate", "revoke", identity.serial, "--reason", "keyCompromise", user="officer2")  # fmt: skip
    status, problem = curl(served, identity)
    assert (status, problem["rule"]) == (401, "certificate.bound")


def test_an_unbound_certificate_is_nobody(served: Instance, tmp_path: Path) -> None:
    """Whatever its names say: not even anonymous, for a credential that does not hold is refused."""
    identity = enrol(served, tmp_path / "b")
    status, problem = curl(served, identity)
    assert (status, problem["rule"]) == (401, "certificate.bound")


def test_unbinding_and_disabling_take_effect_at_once(served: Instance, tmp_path: Path) -> None:
    identity = enrol(served, tmp_path / "c")
    bind(served, identity, "auditor")
    assert curl(served, identity)[0] == 200
    served.json("user", "disable", "auditor", user="admin")
    assert curl(served, identity)[0] == 401
    served.json("user", "enable", "auditor", user="admin")
    assert curl(served, identity)[0] == 200
    (bound,) = served.json("user", "certificates", "auditor", user="admin")
    served.json("user", "unbind-certificate", "auditor", bound["sha256"], user="admin")
    assert curl(served, identity)[0] == 401


def test_a_certificate_for_servers_is_none_for_clients(served: Instance, tmp_path: Path) -> None:
    """TLS itself refuses it: its extended key usage is not clientAuth."""
    identity = enrol(served, tmp_path / "d", "tls-server")
    bind(served, identity, "officer2")
    status, answer = curl(served, identity)
    assert status == 0, answer


def test_a_certificate_of_somebody_else_is_refused(served: Instance, tmp_path: Path) -> None:
    key, chain = tmp_path / "key.pem", tmp_path / "own.pem"
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", str(key), "-out", str(chain), "-subj", "/CN=admin", "-days", "1",
        "-addext", "extendedKeyUsage=clientAuth",
    )  # fmt: skip
    stranger = Identity(key, chain, "")
    bind(served, stranger, "requester")  # even so: its chain ends nowhere
    status, answer = curl(served, stranger)
    assert status == 0, answer


def test_the_command_line_signs_in_with_it(served: Instance, tmp_path: Path) -> None:
    identity = enrol(served, tmp_path / "e")
    bind(served, identity, "requester")
    both = tmp_path / "both.pem"
    both.write_text(identity.chain.read_text() + identity.key.read_text())
    me = served.json("whoami", "--client-certificate", str(both))
    assert (me["name"], me["method"]) == ("requester", "certificate")
