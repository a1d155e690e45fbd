"""A CA whose key is on a token: made, issuing, pulled out, put back; and approved mode."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from chancery.app.office import open_office
from chancery.settings import load
from services.foreign import openssl, wait_for
from services.instance import Instance
from support.softhsm import SoftHsm

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    return SoftHsm.create(tmp_path_factory.mktemp("token"))


@pytest.fixture(scope="module")
def house(hsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance with a token, an issuing CA on it, and an RA that issues by it at once."""
    hsm.add("hsm")
    made = Instance.create(tmp_path_factory.mktemp("hsm") / "instance")
    with (made.directory / "chancery.toml").open("a") as file:
        file.write(hsm.settings("hsm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", hsm.environment["SOFTHSM2_CONF"])
        with made.serving():
            made.json(
                "ca", "create", "token-ca", "--container", "main", "--parent", "root-ca",
                "--subject", "CN=Token CA,O=Example", "--vault", "hsm", user="operator",
            )  # fmt: skip
            for name, approvals in (("token", 0), ("careful", 1)):
                document = {
                    "name": name, "profiles": ["tls-server"], "authorities": ["token-ca"],
                    "approval_group": "officers", "approvals": approvals, "anonymous": False,
                }  # fmt: skip
                path = made.directory / "ra.json"
                path.write_text(json.dumps(document))
                assert made.run("ra", "put", str(path), user="admin").returncode == 0
            yield made


def submitted(house: Instance, folder: Path, name: str, ra: str) -> dict[str, str]:
    csr = folder / f"{name}.csr"
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "key.pem"),
            "-out", str(csr), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")  # fmt: skip
    done: dict[str, str] = house.json(
        "request", "submit", str(csr), "--profile", "tls-server", "--ra", ra, user="requester",
    )  # fmt: skip
    return done


def issued(house: Instance, folder: Path, name: str) -> Path:
    """A certificate of the token's CA, with its chain in one file."""
    done = submitted(house, folder, name, "token")
    assert done["state"] == "issued"
    chain = folder / f"{name}.pem"
    house.run("request", "download", done["id"], "--format", "chain", "-o", str(chain),
              user="requester")  # fmt: skip
    return chain


def vault(house: Instance) -> dict[str, object]:
    found: dict[str, object] = house.json("vault", "show", "hsm", user="operator")
    return found


def test_openssl_trusts_what_a_token_signed(house: Instance, hsm: SoftHsm, tmp_path: Path) -> None:
    chain = issued(house, tmp_path, "one.example.org")
    root = tmp_path / "root.pem"
    house.run("ca", "export", "root-ca", "-o", str(root))
    openssl("verify", "-CAfile", str(root), "-untrusted", str(chain), str(chain))
    shown = vault(house)
    assert (shown["state"], shown["authorities"]) == ("up", ["token-ca"])
    (key,) = shown["keys"]  # type: ignore[misc]
    assert key["key_id"] == key["label"]
    listed = hsm.tool("--list-objects", "--type", "privkey")
    assert "Usage:      sign\n" in listed
    assert "Access:     sensitive, always sensitive, never extractable, local" in listed


def test_levels_and_names_of_vaults(house: Instance) -> None:
    def refused(*words: str) -> str:
        done = house.run("ca", "create", "no", "--container", "main", "--subject", "CN=No",
                         *words, "--json", user="operator")  # fmt: skip
        assert done.returncode != 0
        return str(json.loads(done.stderr)["rule"])

    assert refused("--security-level", "high") == "level.vault"
    assert refused("--vault", "nowhere") == "vault.unknown"
    guarded = house.json(
        "ca", "create", "guarded", "--container", "main", "--subject", "CN=Guarded",
        "--security-level", "high", "--vault", "hsm", user="operator",
    )  # fmt: skip
    assert guarded["state"] == "awaiting-certificate"  # two people must agree


def test_a_token_pulled_out(house: Instance, hsm: SoftHsm, tmp_path: Path) -> None:
    """503 with Retry-After at once; the other CAs go on; what was approved waits; back by itself."""
    pending = submitted(house, tmp_path, "waits.example.org", "careful")
    assert pending["state"] == "pending"
    hsm.remove()
    try:
        wait_for(lambda: vault(house)["state"] == "away", seconds=20, what="the loss")
        token = Path(house.facts["users"]["operator"]["token_file"]).read_text().strip()
        request = urllib.request.Request(
            f"{house.facts['http']}/readyz", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200  # one vault of two
        away = house.run("crl", "issue", "--ca", "token-ca", "--json", user="operator")
        assert away.returncode == 7, away.stderr
        assert "vault.away" in away.stderr
        assert house.run("crl", "issue", "--ca", "issuing-ca", user="operator").returncode == 0
        approved = house.run("request", "approve", pending["id"], "--json", user="officer1")
        assert "vault.away" in approved.stdout + approved.stderr
        shown = house.json("request", "show", pending["id"], user="officer1")
        assert shown["state"] == "approved", shown
    finally:
        hsm.put_back()
    wait_for(lambda: vault(house)["state"] == "up", seconds=20, what="its return")
    issued(house, tmp_path, "two.example.org")

    # What the jobs process does by itself once it is a minute old.
    with open_office(load(house.directory / "chancery.toml")) as office:
        assert office.reconciliation.run(older_than_s=0).signed == 1
    shown = house.json("request", "show", pending["id"], user="officer1")
    assert shown["state"] == "issued"
    assert vault(house)["lost"] == 1


def test_trials_go_on_record(house: Instance) -> None:
    for words in (("test", "hsm"), ("self-test",)):
        probes = house.json("vault", *words, user="operator")
        assert all(one["passed"] for one in probes)
    assert house.run("vault", "test", "hsm", user="officer1").returncode == 5
    records = house.run("audit", "list", "--json", user="auditor").stdout
    assert "vault.tested" in records
    assert "signer.self-tested" in records
