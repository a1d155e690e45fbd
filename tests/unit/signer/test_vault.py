"""The vault opens with its secret, shows every edit, and holds no key in clear."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import (
    AlreadyExists,
    BadKey,
    CAError,
    NotFound,
    SignerRefused,
    Unavailable,
)
from chancery.domain.keys import KeyPurpose
from chancery.signer import keypair, vault
from chancery.signer.holders import software_key
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.unseal.passphrase import Passphrase
from chancery.signer.vault import Vault, open_vault


def opened(home: Path) -> Vault:
    return open_vault(home / "vault", KeyFile(home / "unseal.key"))


def add(store: Vault, key_id: str, algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256) -> bytes:
    key = keypair.make(algorithm)
    store.add(key_id, software_key(key, algorithm), KeyPurpose.AUTHORITY, 1, lambda _: None)
    return keypair.pkcs8(key)


def secret(path: Path, data: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("algorithm", [a for a in KeyAlgorithm if a is not KeyAlgorithm.RSA_4096])
def test_keys_survive_a_restart(home: Path, algorithm: KeyAlgorithm) -> None:
    pkcs8 = add(opened(home), "k", algorithm)
    key = opened(home).get("k")
    assert key.info.algorithm is algorithm
    assert bytes(key.held.sealed_form()) == pkcs8
    for sign in key.ways.values():
        assert sign(b"data")


def test_files_are_private_and_hold_no_key_in_clear(home: Path) -> None:
    pkcs8 = add(opened(home), "k")
    private = keypair.load(pkcs8)[0]
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    scalar = private.private_numbers().private_value.to_bytes(32)
    master = opened(home)._master
    needles = [scalar, pkcs8, bytes(master), (home / "unseal.key").read_bytes()]
    needles += [n.hex().encode() for n in needles] + [base64.b64encode(n) for n in needles]
    for path in (home / "vault").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert not [n for n in needles if n in path.read_bytes()]
    assert (home / "vault").stat().st_mode & 0o777 == 0o700


def test_the_wrong_secret_is_named_as_such(home: Path) -> None:
    other = secret(home / "other.key", os.urandom(32))
    with pytest.raises(Unavailable, match="does not open this vault") as caught:
        open_vault(home / "vault", KeyFile(other))
    assert caught.value.rule == "unseal.wrong"
    words = secret(home / "words", b"a long enough passphrase\n")
    with pytest.raises(Unavailable, match="opens with a key-file"):
        open_vault(home / "vault", Passphrase(words))
    with pytest.raises(Unavailable, match="exactly 32"):
        open_vault(home / "vault", KeyFile(secret(home / "short", b"x" * 31)))


def test_a_passphrase_opens_its_vault(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    words = secret(tmp_path / "words", b"six random words or more\n")
    vault.create(tmp_path / "vault", Passphrase(words))
    pkcs8 = add(open_vault(tmp_path / "vault", Passphrase(words)), "k")
    unix, dos = secret(tmp_path / "u", b"six random words or more"), secret(tmp_path / "d", b"six random words or more\r\n")  # fmt: skip
    for path in (unix, dos):
        key = open_vault(tmp_path / "vault", Passphrase(path)).get("k")
        assert bytes(key.held.sealed_form()) == pkcs8
    with pytest.raises(Unavailable, match="does not open"):
        open_vault(tmp_path / "vault", Passphrase(secret(tmp_path / "w", b"six random words!")))
    with pytest.raises(Unavailable, match="shorter"):
        open_vault(tmp_path / "vault", Passphrase(secret(tmp_path / "s", b"short\n")))


def test_a_header_may_not_ask_for_cheap_guessing(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    words = Passphrase(secret(tmp_path / "words", b"six random words or more\n"))
    vault.create(tmp_path / "vault", words)
    edit(
        tmp_path / "vault" / "vault.json",
        lambda m: m.update(parameters=m["parameters"] | {"memory_kib": 64}),
    )
    with pytest.raises(Unavailable, match="outside the bounds"):
        open_vault(tmp_path / "vault", words)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document["metadata"])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "subject"},
        {"ca_approvals": 0},
        {"key_id": "other"},
        {"created_at": 0},
        {"binding": {"certificate": "", "ekus": None, "approvals": 0}},
        {"extra": 1},
    ],
)
def test_edited_metadata_does_not_open(home: Path, change: dict[str, object]) -> None:
    add(opened(home), "k")
    edit(home / "vault" / "k.key.json", lambda metadata: metadata.update(change))
    with pytest.raises(Unavailable) as caught:
        opened(home).get("k")
    assert caught.value.rule == "vault.tampered"


def test_a_key_moved_to_another_name_or_vault_does_not_open(home: Path, tmp_path: Path) -> None:
    add(opened(home), "k")
    (home / "vault" / "k.key.json").rename(home / "vault" / "j.key.json")
    with pytest.raises(Unavailable, match=r"j\.key\.json was changed"):
        opened(home).get("j")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 5000, b'{"metadata":1,"nonce":"","wrapped":""}', b"\xff"]
)
def test_a_spoilt_file_is_reported_not_a_crash(home: Path, content: bytes) -> None:
    add(opened(home), "k")
    (home / "vault" / "k.key.json").write_bytes(content)
    with pytest.raises(Unavailable):
        opened(home).get("k")
    (home / "vault" / "vault.json").write_bytes(content)
    with pytest.raises(Unavailable):
        opened(home)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_refuses_files_that_others_may_read(home: Path, mode: int) -> None:
    add(opened(home), "k")
    for name in ("unseal.key", "vault/vault.json"):
        (home / name).chmod(mode)
        with pytest.raises(Unavailable, match="closed to everybody else"):
            opened(home)
        (home / name).chmod(0o600)
    (home / "vault" / "k.key.json").chmod(mode)
    with pytest.raises(Unavailable, match="closed to everybody else"):
        opened(home).get("k")
    (home / "vault").chmod(0o755)
    with pytest.raises(Unavailable, match="closed to everybody else"):
        opened(home)


def test_does_not_follow_a_link_to_a_secret(home: Path) -> None:
    (home / "unseal.key").rename(home / "real.key")
    (home / "unseal.key").symlink_to(home / "real.key")
    with pytest.raises(Unavailable):
        opened(home)


def test_a_key_that_cannot_be_recorded_never_exists(home: Path) -> None:
    def record(_: object) -> None:
        raise Unavailable("the journal is full")

    store = opened(home)
    key = keypair.make(KeyAlgorithm.EC_P256)
    with pytest.raises(Unavailable):
        store.add("k", software_key(key, KeyAlgorithm.EC_P256), KeyPurpose.AUTHORITY, 1, record)
    for again in (store, opened(home)):
        with pytest.raises(NotFound):
            again.get("k")


def test_what_a_crash_left_is_swept_away(home: Path) -> None:
    left = home / "vault" / ".k.key.json.0123456789abcdef"
    secret(left, b"half a fi")
    opened(home)
    assert not left.exists()


def test_makes_nothing_twice(home: Path) -> None:
    with pytest.raises(AlreadyExists):
        vault.create(home / "vault", KeyFile(home / "unseal.key"))
    store = opened(home)
    add(store, "k")
    before = (home / "vault" / "k.key.json").read_bytes()
    with pytest.raises(AlreadyExists):
        add(store, "k")
    assert (home / "vault" / "k.key.json").read_bytes() == before
    assert not list((home / "vault").glob(".*"))


@pytest.mark.parametrize(
    "key_id", ["", ".", "..", "a/b", "../k", ".k", "k\n", "k\0", "x" * 129, "é"]
)
def test_a_key_id_is_never_a_path(home: Path, key_id: str) -> None:
    with pytest.raises(SignerRefused) as caught:
        opened(home).get(key_id)
    assert caught.value.rule == "key.id"


def test_destroyed_is_gone(home: Path) -> None:
    store = opened(home)
    add(store, "k")
    store.destroy("k")
    for again in (store, opened(home)):
        with pytest.raises(NotFound):
            again.get("k")
        with pytest.raises(NotFound):
            again.destroy("k")


def test_closing_wipes_the_master_key(home: Path) -> None:
    store = opened(home)
    store.close()
    assert not any(store._master)


def unknown_curve() -> bytes:
    key = ec.generate_private_key(ec.SECP256K1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("data", [b"", b"junk", unknown_curve()])
def test_takes_in_only_keys_it_can_hold(data: bytes) -> None:
    with pytest.raises(BadKey) as caught:
        keypair.load(data)
    assert isinstance(caught.value, CAError)


def test_a_faulty_signature_is_never_released() -> None:
    key = keypair.make(KeyAlgorithm.EC_P256)
    other = keypair.make(KeyAlgorithm.EC_P256)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(other, ec.EllipticCurvePrivateKey)
    how = ec.ECDSA(hashes.SHA256())
    sign = keypair.Way(
        lambda data: other.sign(data, how),
        lambda signature, data: key.public_key().verify(signature, data, how),
    )
    with pytest.raises(Unavailable, match="did not verify"):
        sign(b"data")
