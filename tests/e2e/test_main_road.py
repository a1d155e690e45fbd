"""From a CSR made by openssl to a certificate that openssl trusts, and trusts no more once revoked."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from services.foreign import handshake, openssl, wait_for
from services.instance import Instance

pytestmark = pytest.mark.interop

KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ed25519": ["-newkey", "ed25519"],
}


def make_csr(folder: Path, kind: str) -> tuple[Path, Path]:
    """A key and a CSR for localhost, as an administrator would make them."""
    key, csr = folder / "key.pem", folder / "csr.pem"
    openssl(
        "req", "-new", *KEYS[kind], "-nodes", "-keyout", str(key), "-out", str(csr),
        "-subj", f"/O=Example/CN={kind}.example.org",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    )  # fmt: skip
    return key, csr


@pytest.mark.parametrize("kind", KEYS)
def test_the_main_road(instance: Instance, tmp_path: Path, kind: str) -> None:
    key, csr = make_csr(tmp_path, kind)

    submitted = instance.json(
        "request", "submit", str(csr), "--profile", "tls-server", "--anonymous"
    )
    assert submitted["state"] == "pending"
    request, code = submitted["id"], submitted["code"]
    assert request in [
        r["id"] for r in instance.json("request", "list", "--state", "pending", user="officer1")
    ]
    shown = instance.json("request", "show", request, user="officer1")
    assert "dns:localhost" in json.dumps(shown["content"])

    first = instance.json("request", "approve", request, user="officer1")
    assert first["state"] == "pending"
    again = instance.run("request", "approve", request, user="officer1")
    assert again.returncode == 6, again.stderr
    second = instance.json("request", "approve", request, user="officer2")
    assert second["state"] == "issued"

    leaf, chain = tmp_path / "leaf.pem", tmp_path / "chain.pem"
    for form, path in (("pem", leaf), ("chain", chain)):
        done = instance.run(
            "request", "download", request, "--code", code, "--format", form, "-o", str(path)
        )
        assert done.returncode == 0, done.stderr
    root, issuing = tmp_path / "root.pem", tmp_path / "issuing.pem"
    for name, path in ((instance.facts["root"], root), (instance.facts["issuing"], issuing)):
        done = instance.run("ca", "export", name, "--format", "pem", "-o", str(path))
        assert done.returncode == 0, done.stderr

    verified = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        str(root),
        "-untrusted",
        str(chain),
        str(leaf),
    )
    assert verified.strip().endswith("OK")
    handshake(key, chain, root)

    serial = openssl("x509", "-in", str(leaf), "-noout", "-serial").strip().removeprefix("serial=")
    status = ocsp(instance, issuing, root, serial)
    assert "good" in status
    revoked = instance.json(
        "certificate", "revoke", serial, "--reason", "keyCompromise", user="officer1"
    )
    assert revoked["status"] == "revoked"
    time.sleep(1)  # within which every process knows (docs/guides/ocsp.md)
    status = ocsp(instance, issuing, root, serial)
    assert "revoked" in status
    assert "Reason: keyCompromise" in status
    assert "unknown" in ocsp(instance, issuing, root, "0123456789ABCDEF")
    refused_by_crl(instance, tmp_path, root, issuing, leaf, serial)


def ocsp(instance: Instance, issuing: Path, root: Path, serial: str) -> str:
    """What the openssl client makes of our responder's answer."""
    url = f"{instance.facts['http']}/ocsp/{instance.facts['issuing']}"
    done = subprocess.run(
        ["openssl", "ocsp", "-issuer", issuing, "-CAfile", root, "-serial", f"0x{serial}", "-url", url, "-timeout", "5"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Response verify OK" in done.stderr
    assert "WARNING" not in done.stderr
    return done.stdout


def refused_by_crl(
    instance: Instance, folder: Path, root: Path, issuing: Path, leaf: Path, serial: str
) -> None:
    """The CRL follows within seconds, and openssl refuses the certificate by it."""
    crls = folder / "crls.pem"

    def listed() -> bool:
        text = ""
        for name in (instance.facts["root"], instance.facts["issuing"]):
            subprocess.run(
                ["curl", "-sSf", "-o", folder / "one.crl", f"{instance.facts['http']}/crl/{name}.crl"],
                check=True,
            )  # fmt: skip
            text += openssl("crl", "-inform", "DER", "-in", str(folder / "one.crl"))
        crls.write_text(text)
        shown = openssl("crl", "-inform", "DER", "-in", str(folder / "one.crl"), "-noout", "-text")
        return serial.upper().lstrip("0") in shown.upper().replace(":", "")

    wait_for(listed, seconds=10, what="the CRL with the revoked serial")
    done = subprocess.run(
        ["openssl", "verify", "-crl_check_all", "-CAfile", root, "-untrusted", issuing, "-CRLfile", crls, leaf],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "certificate revoked" in done.stderr + done.stdout


def test_the_requester_cannot_approve(instance: Instance, tmp_path: Path) -> None:
    _, csr = make_csr(tmp_path, "ec")
    submitted = instance.json(
        "request", "submit", str(csr), "--profile", "tls-server", user="officer1"
    )
    done = instance.run("request", "approve", submitted["id"], user="officer1")
    assert done.returncode == 5, done.stderr
    assert "approval.not-own" in done.stderr


def test_a_denied_request_gives_the_reason(instance: Instance, tmp_path: Path) -> None:
    _, csr = make_csr(tmp_path, "ec")
    submitted = instance.json(
        "request", "submit", str(csr), "--profile", "tls-server", user="requester"
    )
    instance.json(
        "request", "deny", submitted["id"], "--reason", "not in the plan", user="officer2"
    )
    shown = instance.json("request", "show", submitted["id"], user="requester")
    assert shown["state"] == "denied"
    assert shown["decision_reason"] == "not in the plan"


def test_the_audit_log_of_it_all_verifies(instance: Instance) -> None:
    time.sleep(2)  # the last records are covered by a checkpoint within a second
    report = instance.json("audit", "verify", str(instance.directory))
    assert report["ok"], report
    assert report["size"] > 10
