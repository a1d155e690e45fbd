"""An offline root with custodians, a sealed server, and a bundle between the two."""

import base64
import hashlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.csr import p256_csr
from services.foreign import wait_for
from services.instance import CHANCERY, Instance, clean_environment
from services.rest import Rest

pytestmark = pytest.mark.interop

PEOPLE = ("ada", "grace", "linus", "mary", "alan")
WITNESSES = ("Ada Lovelace", "Grace Hopper")
HEAD = 'name = "{name}"\nwitnesses = ["Ada Lovelace", "Grace Hopper"]\nstore = "root.store"\n'
FIRST = (
    HEAD.format(name="first")
    + "[new_store]\nthreshold = 3\ncustodians = ["
    + ", ".join(f'{{name = "{name}"}}' for name in PEOPLE)
    + "]\n"
    + '[[step]]\ndo = "root"\nname = "root"\nsubject = "CN=Offline Root,O=Example,C=DE"\n'
    + 'path_length = 1\nhttp = "HTTP"\n'
)
ANSWER = (
    HEAD.format(name="answer")
    + '[[step]]\ndo = "bundle"\nissuer = "root"\nrequest = "request.json"\n'
    + 'audit_key = "audit.vkey"\nout = "answer.txt"\n'
)


def chancery(*words: str, given: str = "", cwd: Path | None = None) -> Any:
    return subprocess.run(
        [CHANCERY, *words], input=given, capture_output=True, text=True, check=False,
        timeout=60, cwd=cwd, env=clean_environment(),
    )  # fmt: skip


class AirGap:
    """The machine of the offline root: a directory, people, no server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shares: Path | None = None

    def hold(self, name: str, script: str, brought: tuple[str, ...] = ()) -> dict[str, Any]:
        (self.folder / f"{name}.toml").write_text(script)
        planned = chancery("ceremony", "plan", f"{name}.toml", "--json", cwd=self.folder)
        assert planned.returncode == 0, planned.stderr
        digits = json.loads(planned.stdout)["sha256"][:8]
        said = [line for witness in WITNESSES for line in (witness, digits)]
        said += [f"@{self.shares}/{who}.share.txt" for who in brought]
        done = chancery(
            "ceremony", "run", f"{name}.toml", "--json", given="\n".join(said) + "\n",
            cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        held: dict[str, Any] = json.loads(done.stdout)
        if held["shares"]:
            self.shares = Path(held["shares"])
        return held


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> AirGap:
    return AirGap(tmp_path_factory.mktemp("air-gap"))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Made, given to custodians, started: it is sealed when a test first sees it."""
    made = Instance.create(tmp_path_factory.mktemp("sealed") / "instance")
    settings = made.directory / "chancery.toml"
    people = [word for name in PEOPLE for word in ("--custodian", name)]
    done = chancery(
        "custodian", "seal", "--config", str(settings), "--threshold", "3", *people,
        "--out", str(made.directory / "shares"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = settings.read_text()
    settings.write_text(text.replace('unseal_key_file = "secrets/unseal.key"', "custodians = true"))
    made.launch()
    yield made
    made.stop()


def ask(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def sealed(instance: Instance) -> str:
    return str(ask(instance.facts["http"] + "/readyz")[1].get("checks", {}).get("signer", ""))


def unseal(instance: Instance, share: str) -> Any:
    config = str(instance.directory / "chancery.toml")
    return chancery("unseal", "--config", config, given=f"{share}\n")


def test_a_sealed_server_opens_with_three_of_five_and_serves_nothing_before(
    instance: Instance, gap: AirGap
) -> None:
    gap.hold("first", FIRST.replace("HTTP", instance.facts["http"]))
    wait_for(lambda: "0 of 3" in sealed(instance), seconds=20, what="it says that it is sealed")
    status, told = ask(instance.facts["http"] + "/api/v1/authorities")
    assert (status, told["rule"]) == (503, "unseal.sealed")
    assert "chancery unseal" in told["remedy"]
    assert ask(instance.facts["http"] + "/healthz")[0] == 200

    shares = instance.directory / "shares"
    for name in ("mary", "ada"):
        assert unseal(instance, f"@{shares}/{name}.share.txt").returncode == 0
    assert "2 of 3 shares were given (mary, ada), 1 more needed" in sealed(instance)
    twice = unseal(instance, f"@{shares}/ada.share.txt")
    assert twice.returncode == 6
    assert "ada has given a share already" in twice.stderr
    foreign = unseal(instance, f"@{gap.shares}/linus.share.txt")
    assert foreign.returncode == 6
    assert "this share is of set" in foreign.stderr
    assert "1 more needed" in sealed(instance), "what was wrong changed nothing"
    assert unseal(instance, f"@{shares}/linus.share.txt").returncode == 0
    instance.wait_ready()
    assert unseal(instance, "x").returncode == 6, "nothing waits for shares any more"


def test_every_share_is_in_the_audit_log(instance: Instance) -> None:
    rest = Rest(instance, "auditor")

    def unsealed() -> bool:
        found = rest("GET", "/audit?action=vault.unsealed").body
        return bool(found["items"])

    wait_for(unsealed, seconds=20, what="the events are in the log")
    refused = rest("GET", "/audit?action=custody.share-refused").body["items"]
    assert {one["details"]["rule"] for one in refused} == {"shares.twice", "shares.other-set"}
    sets = rest("GET", "/custody/sets").body["items"]
    assert [(one["purpose"], one["threshold"]) for one in sets] == [("vault", 3)]
    seal = rest("GET", "/custody/seal").body
    assert (seal["kind"], seal["custodians"]) == ("custodians", list(PEOPLE))


def test_a_bundle_goes_out_and_comes_back(instance: Instance, gap: AirGap) -> None:
    """Offline root -> bundle, by images -> issuing CA in the server -> leaf -> OpenSSL."""
    run = instance.run
    folder = gap.folder
    root = folder / "out" / "root.pem"
    done = run("ca", "import", "root", str(root), "--container", "main", "--offline",
               user="operator")  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = run("ca", "create", "below", "--container", "main", "--subject", "CN=Below,O=E",
               "--external", user="operator")  # fmt: skip
    assert done.returncode == 0, done.stderr
    request = folder / "request.json"
    done = run("bundle", "export", "--ca", "below", "--crl", "root", "-o", str(request),
               user="operator")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "audit.vkey").write_text((instance.directory / "audit.vkey").read_text())
    held = gap.hold("answer", ANSWER, ("alan", "mary", "grace"))
    answer = folder / "out" / "answer.txt"
    assert Path(held["transcript"]).exists()

    _refused_before_it_is_taken(instance, answer, folder)
    vkey = folder / "out" / "root.vkey"
    again = _through_images(answer, folder)
    done = run("bundle", "import", str(again), "--key", str(vkey), "--json", user="operator")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "answered"
    done = run("bundle", "import", str(answer), user="operator")
    assert done.returncode == 6, "an answer is taken once"

    _ra(instance)
    leaf = Rest(instance, "requester").submit(p256_csr("a.example.org"), ra="ra-below")
    assert leaf.status == 201, leaf
    _verified(instance, root, leaf.body["certificate"], folder)


def _ra(instance: Instance) -> None:
    document = {
        "name": "ra-below", "profiles": ["tls-server"], "authorities": ["below"],
        "approval_group": "officers", "approvals": 0, "anonymous": False,
    }  # fmt: skip
    assert Rest(instance, "admin")("PUT", "/ras/ra-below", document).status in (200, 201)


def _refused_before_it_is_taken(instance: Instance, answer: Path, folder: Path) -> None:
    """One that was changed, one with a thing nobody asked for, one that lacks a thing."""
    rest = Rest(instance, "operator")
    text = answer.read_text()
    key = (folder / "out" / "root.vkey").read_text()
    body, _, signature = text.rpartition("\n\n")
    document = json.loads(body)

    def sent(change: dict[str, Any], **more: str) -> tuple[int, str, str]:
        changed = json.dumps(document | change, indent=1, sort_keys=True)
        given = {"answer": f"{changed}\n\n{signature}", **more}
        reply = rest("POST", "/custody/bundles/import", given)
        return reply.status, reply.body["rule"], reply.body["detail"]

    assert sent({"ceremony": "other"}, key=key)[:2] == (400, "note.note")
    extra = document["items"][0] | {"id": "9"}
    status, rule, detail = sent({"items": [*document["items"], extra]})
    assert (status, rule) == (409, "bundle.unasked")
    assert "certificate 9" in detail
    status, rule, detail = sent({"items": document["items"][:1]})
    assert (status, rule) == (409, "bundle.incomplete")
    assert "crl of root" in detail
    own = base64.b64encode(_der(folder / "out" / "root.pem")).decode()
    stranger = {"id": "1", "kind": "certificate", "data": [own]}
    assert sent({"items": [stranger, document["items"][1]]})[:2] == (409, "bundle.unasked")
    found = rest("GET", "/authorities/below").body
    assert found["state"] == "awaiting-certificate"


def _der(path: Path) -> bytes:
    done = subprocess.run(
        ["openssl", "x509", "-in", path, "-outform", "DER"], capture_output=True, check=True
    )
    return done.stdout


def _through_images(answer: Path, folder: Path) -> Path:
    """As a scanner would: the texts of the images, one in a line."""
    from chancery.adapters import qr  # noqa: PLC0415

    done = chancery("bundle", "qr", str(answer), "--out", str(folder / "images"), "--json")
    assert done.returncode == 0, done.stderr
    texts = qr.parts(answer.read_bytes())
    assert len(json.loads(done.stdout)["images"]) == len(texts)
    (folder / "scanned.txt").write_text("\n".join(reversed(texts)))
    back = folder / "back.txt"
    assert chancery("bundle", "scan", str(folder / "scanned.txt"), "-o", str(back)).returncode == 0
    assert (
        hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(answer.read_bytes()).digest()
    )
    return back


def _verified(instance: Instance, root: Path, leaf: str, folder: Path) -> None:
    (folder / "leaf.pem").write_text(leaf)
    chain = folder / "chain.pem"
    done = instance.run("ca", "export", "below", "--format", "chain", "-o", str(chain))
    assert done.returncode == 0, done.stderr
    lists = folder / "lists.pem"
    lists.write_text("")
    for ca in ("root", "below"):
        path = folder / f"{ca}.crl"
        assert instance.run("crl", "download", "--ca", ca, "-o", str(path)).returncode == 0
        pem = subprocess.run(
            ["openssl", "crl", "-inform", "DER", "-in", path], capture_output=True, check=True
        ).stdout
        lists.write_bytes(lists.read_bytes() + pem)
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", lists,
         "-CAfile", root, "-untrusted", chain, folder / "leaf.pem"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
