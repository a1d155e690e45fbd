"""Managed keys on the command line: what each command asks."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

B64 = "aGVsbG8="  # hello
NEW = {"name": "a", "group": "g", "template": "t"}
MAKE = "a --group g --template t"
CASES: list[tuple[str, str, str, Any]] = [
    ("key list --group g --kind aes-256", "GET", "/keys", None),
    ("key show a", "GET", "/keys/a", None),
    (f"key generate {MAKE} --use encrypt", "POST", "/keys", NEW | {"uses": ["encrypt"]}),
    (
        "key import a {plain} --group g --template t --passphrase-file {secret}",
        "POST",
        "/keys/import",
        NEW | {"packed": B64, "passphrase": "correct horse battery"},
    ),
    (
        "key unwrap a {plain} --group g --template t --by kek --method tr31",
        "POST",
        "/keys/unwrap",
        NEW | {"by": "kek", "method": "tr31", "wrapped": B64},
    ),
    (
        f"key derive {MAKE} --by root --method hkdf-sha256 --context 00ff",
        "POST",
        "/keys/derive",
        NEW | {"by": "root", "method": "hkdf-sha256", "context": "AP8="},
    ),
    (
        "key edit a --custodian Ops --rotate-every 90 --overlap 7",
        "PATCH",
        "/keys/a",
        {"custodian": "Ops", "rotation": {"every": 90, "overlap": 7, "warn": 14}},
    ),
    (
        "key edit a --rotate-every 90 --warn 30 --label app=shop",
        "PATCH",
        "/keys/a",
        {"labels": {"app": "shop"}, "rotation": {"every": 90, "overlap": -1, "warn": 30}},
    ),
    (
        "key generate a --group g --template t --use none --vault hsm --label app=shop",
        "POST",
        "/keys",
        {
            "name": "a", "group": "g", "template": "t", "uses": [], "vault": "hsm",
            "labels": {"app": "shop"},
        },
    ),
    ("key rotate a --reason due", "POST", "/keys/a/rotate", {"reason": "due"}),
    *(
        (
            f"key {event} a --reason why --version 2",
            "POST",
            "/keys/a/state",
            {"event": event, "reason": "why", "version": 2},
        )
        for event in ("activate", "suspend", "resume", "deactivate", "compromise", "destroy")
    ),
    ("key calendar --days 30", "GET", "/key-calendar", None),
    ("key encrypt a {plain} --aad 00ff", "POST", "/keys/a/encrypt",
     {"plaintext": B64, "aad": "AP8="}),
    ("key decrypt a {plain}", "POST", "/keys/a/decrypt", {"ciphertext": "hello"}),
    ("key rewrap a {plain} --to b", "POST", "/keys/a/rewrap", {"ciphertext": "hello", "to": "b"}),
    ("key sign a {plain}", "POST", "/keys/a/sign", {"data": B64}),
    ("key verify a {plain} --signature {plain}", "POST", "/keys/a/verify",
     {"data": B64, "signature": B64}),
    ("key mac a {plain}", "POST", "/keys/a/mac", {"data": B64}),
    ("key verify-mac a {plain} --mac 00ff", "POST", "/keys/a/verify-mac",
     {"data": B64, "mac": "AP8="}),
    ("key random 8", "POST", "/random", {"count": 8}),
    ("key wrap a --method aes-kwp --by kek", "POST", "/keys/a/wrap",
     {"method": "aes-kwp", "by": "kek"}),
    ("key package a pkcs12", "POST", "/keys/a/package", {"form": "pkcs12"}),
    ("key split a --holder x --holder y", "POST", "/keys/a/split", {"holders": ["x", "y"]}),
    ("key escrow a --agent {public} --agent {public} --threshold 2", "POST", "/keys/a/escrow",
     {"agents": ["{spki}", "{spki}"], "threshold": 2}),
    ("key escrow-record a", "GET", "/keys/a/escrow", None),
    ("key recover a --to b --share {plain}", "POST", "/keys/a/recover",
     {"to": "b", "shares": ["hello"]}),
    ("key-order list --state open", "GET", "/key-orders", None),
    ("key-order show 1", "GET", "/key-orders/1", None),
    ("key-order approve 1", "POST", "/key-orders/1/approve", {"content": "abc"}),
    ("key-order deny 1 --reason no", "POST", "/key-orders/1/deny", {"reason": "no"}),
    ("key-order perform 1", "POST", "/key-orders/1/perform", {}),
    ("key-component list", "GET", "/key-components", None),
    (f"key-component begin {MAKE} --total 3", "POST", "/key-components", NEW | {"total": 3}),
    ("key-component enter 1 2 --component-file {hex} --check-value AB", "POST",
     "/key-components/1/enter", {"number": 2, "component": "00ff", "check_value": "AB"}),
    ("key-component finish 1 --check-value AB", "POST", "/key-components/1/finish",
     {"check_value": "AB"}),
    ("key-component take 1 2", "POST", "/key-components/1/take/2", None),
    ("key-component drop 1", "DELETE", "/key-components/1", None),
    ("key-group list", "GET", "/key-groups", None),
    ("key-group show g", "GET", "/key-groups/g", None),
    ("key-group set g --grant ca-operator=view,use --approvals 1", "PUT", "/key-groups/g",
     {"name": "g", "description": "", "owner": "", "grants": {"ca-operator": ["view", "use"]},
      "approvals": 1}),
    ("key-group put {definition}", "PUT", "/key-groups/g", {"name": "g"}),
    ("key-group delete g", "DELETE", "/key-groups/g", None),
    ("key-template list", "GET", "/key-templates", None),
    ("key-template show t", "GET", "/key-templates/t", None),
    ("key-template put {definition}", "PUT", "/key-templates/g", {"name": "g"}),
    ("key-template delete t", "DELETE", "/key-templates/t", None),
]  # fmt: skip
ANSWER = {
    "id": "1", "ciphertext": "chy1.x", "plaintext": B64, "signature": B64, "mac": B64, "data": B64,
    "escrow": B64, "valid": True, "content": "abc", "action": "state", "version": 1,
}  # fmt: skip
LISTS = {"/keys", "/key-calendar", "/key-orders", "/key-components", "/key-groups"}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place: Path = tmp_path_factory.mktemp("keys")
    public = rsa.generate_private_key(65537, 2048).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    texts = {"plain": b"hello", "secret": b"correct horse battery", "hex": b"00 ff",
             "public": der, "definition": b'{"name": "g"}'}  # fmt: skip
    found = {}
    for name, text in texts.items():
        path = place / f"{name}.json"
        path.touch(0o600)
        path.write_bytes(text)
        found[name] = str(path)
    return found


@pytest.mark.parametrize(("argv", "method", "path", "body"), CASES, ids=[c[0] for c in CASES])
def test_asks_for(
    argv: str, method: str, path: str, body: Any, server: Any, run: Any, words: dict[str, str]
) -> None:
    for known in LISTS | {"/key-templates"}:
        server.on("GET", known, [])
    server.on("GET", "/key-orders/1", ANSWER)
    server.on(method, path, [] if method == "GET" and path in LISTS else ANSWER)

    finished = run(*(word.format(**words) for word in argv.split()), "--json")

    assert finished.code == 0, finished
    asked = next(one for one in server.seen if one.method == method)
    assert asked.path == f"/api/v1{path}"
    if body is not None and "agents" in body:
        assert len(set(asked.json["agents"])) == 1
        assert asked.json["threshold"] == 2
        return
    assert (asked.json if asked.body else None) == body
    assert "correct horse" not in finished.out + finished.err


def test_what_is_not_valid_ends_with_8(server: Any, run: Any, words: dict[str, str]) -> None:
    server.on("POST", "/keys/a/verify", {"valid": False})
    finished = run("key", "verify", "a", words["plain"], "--signature", words["plain"])
    assert (finished.code, finished.out) == (8, "NOT valid\n")
