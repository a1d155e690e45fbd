"""Somebody comes with an ``openssl ca`` of their own, and sees what they have."""

import json
import subprocess
from pathlib import Path

import pytest

from services.foreign import wait_for
from services.instance import Instance
from services.openssl_ca import OpensslCa


@pytest.fixture
def old(tmp_path: Path) -> OpensslCa:
    ca = OpensslCa.create(tmp_path / "old", f"/O=Old/CN={tmp_path.name}")
    ca.issue("www.example.org", days=20)
    ca.revoke(ca.issue("gone.example.org"), "-crl_reason", "superseded")
    return ca


def test_a_ca_of_openssl_moves_in(instance: Instance, old: OpensslCa, tmp_path: Path) -> None:
    operator = {"user": "operator"}
    words = (
        "ca",
        "import",
        "old",
        str(old.directory / "ca.pem"),
        "--key",
        str(old.directory / "ca.p8"),
    )
    assert instance.run(*words, "--container", "main", **operator).returncode == 0
    preview = instance.json("certificate", "import", str(old.directory), "--preview", **operator)
    # The CA's own certificate is known, and so is no file of a key or a request.
    assert preview["counts"] == {"new": 2, "known": 1}
    assert instance.json("certificate", "list", "--profile", "imported", user="auditor") == []

    done = instance.run("certificate", "import", str(old.directory), **operator)
    assert done.returncode == 0, done.stderr
    assert "imported" in done.stdout
    again = instance.json("certificate", "import", str(old.directory), **operator)
    assert (again["state"], again["counts"]) == ("done", {"known": 3})

    soon = instance.json(
        "certificate",
        "list",
        "--expires-before",
        "30d",
        "--expires-after",
        "0d",
        "--profile",
        "imported",
        user="auditor",
    )
    assert [one["subject"] for one in soon] == ["CN=www.example.org,O=Old"]
    url = f"{instance.facts['http']}/ocsp/old"
    ca = old.directory / "ca.pem"

    def status(serial: str) -> str:
        answer = subprocess.run(
            ["openssl", "ocsp", "-issuer", ca, "-CAfile", ca, "-serial", f"0x{serial}", "-url", url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Response verify OK" in answer.stderr, answer.stderr
        return answer.stdout

    assert status("1000").startswith("0x1000: good")
    assert "Reason: superseded" in status("1001")
    assert status("1002").startswith("0x1002: unknown")
    shown = instance.run("certificate", "show", "1001", user="auditor")
    assert "superseded" in shown.stdout

    # It can be revoked here like any other, because its CA is here.
    revoked = instance.json("certificate", "revoke", "1000", "--reason", "superseded", **operator)
    assert revoked["status"] == "revoked"
    wait_for(
        lambda: instance.json("crl", "show", "--ca", "old", **operator)["entries"] == 2,
        seconds=15,
        what="the CRL",
    )
    sound = instance.run("audit", "verify", str(instance.directory), "--json")
    assert sound.returncode == 0, sound.stdout


def test_a_list_of_strangers(instance: Instance, tmp_path: Path) -> None:
    path = tmp_path / "inventory.csv"
    path.write_text(
        "Serial,Issuer,Common Name,Valid To,Status\n"
        "0A1B,CN=Some CA,shop.example.org,2031-01-01,active\n"
        "0A1C,CN=Some CA,mail.example.org,2031-01-01,revoked\n"
        "0A1D,CN=Some CA,mail.example.org,whenever,active\n"
    )
    done = instance.run("certificate", "import", str(path), "--json", user="operator")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert told["counts"] == {"imported": 2, "problem": 1}
    (problem,) = told["problems"]
    assert (problem["line"], problem["rule"]) == (4, "csv.date")
    shown = instance.json("certificate", "show", "0a1c", user="auditor")
    assert (shown["status"], shown["certificate"]) == ("revoked", None)
    assert shown["authority"].startswith("foreign:")
    refused = instance.run(
        "certificate", "revoke", "0a1b", "--reason", "superseded", "--json", user="operator"
    )
    assert json.loads(refused.stderr)["rule"] == "certificate.foreign"
    gone = instance.run("certificate", "download", "0a1b", "--json", user="operator")
    assert json.loads(gone.stderr)["rule"] == "certificate.entry"
    assert instance.run("certificate", "list", user="requester").returncode == 0
    assert instance.run("certificate", "import", str(path), user="officer1").returncode != 0


def test_keys_stay_where_they_are(instance: Instance, old: OpensslCa, tmp_path: Path) -> None:
    key = (old.directory / "1000.key").read_bytes()
    both = tmp_path / "both.pem"
    both.write_bytes(key + old.issued()["1000.pem"])
    p12 = tmp_path / "one.p12"
    old.run(
        "pkcs12", "-export", "-in", "newcerts/1001.pem", "-inkey", "1001.key", "-out", str(p12),
        "-passout", "pass:secret",
    )  # fmt: skip
    secret = tmp_path / "pass.txt"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    done = instance.run(
        "certificate", "import", str(both), str(p12), "--passphrase-file", str(secret), "--json",
        "--preview", user="operator",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "both.pem: a private key in it was not sent" in done.stderr
    assert json.loads(done.stdout)["total"] == 2
